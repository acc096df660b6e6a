"""The web process: HTTP through Django, WebSockets through Channels."""

import os
import warnings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "aitrapp_site.settings")
# Read by the settings, so it must stand before they load.
os.environ.setdefault("DATABASE_POOL", "1")
# WhiteNoise sends its small files through an ordinary iterator; Django says so for each of them.
warnings.filterwarnings("ignore", message="StreamingHttpResponse must consume synchronous iterators")

from channels.routing import ProtocolTypeRouter
from django.core.asgi import get_asgi_application

application = ProtocolTypeRouter({"http": get_asgi_application()})
