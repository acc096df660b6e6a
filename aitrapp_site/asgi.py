"""The web process: HTTP through Django, WebSockets through Channels."""

import gc
import os
import warnings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "aitrapp_site.settings")
# Read by the settings, so it must stand before they load.
os.environ.setdefault("DATABASE_POOL", "1")
# WhiteNoise sends its small files through an ordinary iterator; Django says so for each of them.
warnings.filterwarnings("ignore", message="StreamingHttpResponse must consume synchronous iterators")

from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application
from django.urls import get_resolver, path

# Loads the apps, so it stands before anything that needs them.
http = get_asgi_application()

from aitrapp_site.home import live_picture
from trading.consumers import ConsoleConsumer

sockets = URLRouter([path("ws/console", ConsoleConsumer.as_asgi(look=live_picture))])
application = ProtocolTypeRouter({"http": http, "websocket": AuthMiddlewareStack(sockets)})

# Every page's module is read now, and what was read stays to the end. Without this the collector goes through all of
# it every few requests, which holds the request and every browser up for a tenth of a second.
assert get_resolver().url_patterns
gc.collect()
gc.freeze()
