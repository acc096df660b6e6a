"""Every setting of the program. What the operator changes while it runs (limits, modes) is rows instead."""

import contextlib
import sys
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

import structlog

from aitrapp_site import embedded
from aitrapp_site.environment import (
    adopt,
    celery_broker_url,
    database_from_url,
    env_bool,
    env_choice,
    env_int,
    env_list,
    env_path,
    env_str,
    process_name,
)
from aitrapp_site.logs import logging_config, structlog_processors
from aitrapp_site.secret import read_or_make_secret_key

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = embedded.default_data_dir()
adopt(VAR_DIR / "paper.environ")
LOG_DIR = env_path("AITRAPP_LOG_DIR", default=BASE_DIR / "logs")

DEBUG = env_bool("DEBUG", default=False)
SECRET_KEY = env_str("SECRET_KEY", default="") or read_or_make_secret_key(VAR_DIR / "secret_key")
ALLOWED_HOSTS = env_list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env_list("CSRF_TRUSTED_ORIGINS", default=[])

#: The servers are our own private ones, so this is one machine with one user: the newcomer's default.
EMBEDDED = env_bool("AITRAPP_EMBEDDED", default=False)

#: The account that is meant where a caller names none.
ACCOUNT_NAME = env_str("ACCOUNT_NAME", default="paper")

# The app at Kite; at the paper exchange the launcher makes both.
KITE_API_KEY = env_str("KITE_API_KEY", default="")
KITE_API_SECRET = env_str("KITE_API_SECRET", default="")
KITE_ACCESS_TOKEN = env_str("KITE_ACCESS_TOKEN", default="")
KITE_ENVIRONMENT = env_choice(
    "KITE_ENVIRONMENT", default="exchange", choices=["exchange", "sandbox", "production", "rehearsal"]
)
EXCHANGE_URL = env_str("EXCHANGE_URL", default="http://127.0.0.1:8010")
EXCHANGE_TICKER_URL = env_str("EXCHANGE_TICKER_URL", default="ws://127.0.0.1:8010")

# The app whose live prices a paper day may trade on (MARKET=kite). Addresses only where another place plays Kite.
UPSTREAM_API_KEY = env_str("UPSTREAM_API_KEY", default="")
UPSTREAM_API_SECRET = env_str("UPSTREAM_API_SECRET", default="")
UPSTREAM_URL = env_str("UPSTREAM_URL", default="")
UPSTREAM_TICKER_URL = env_str("UPSTREAM_TICKER_URL", default=UPSTREAM_URL.replace("http", "ws", 1))

#: Keep every frame and order call of a day as a file: 1, 0, or auto, which leaves out the paper exchange.
RECORD = env_choice("AITRAPP_RECORD", default="auto", choices=["auto", "0", "1"])
RECORD_DAYS = env_int("AITRAPP_RECORD_DAYS", default=10, minimum=1)
RECORD_MAX_MB = env_int("AITRAPP_RECORD_MAX_MB", default=4096, minimum=1)

#: Part of every order's identity, so that two installations on one login never make the same order.
INSTALLATION = env_str("INSTALLATION", default=sha256(f"installation:{SECRET_KEY}".encode()).hexdigest()[:8])
#: Underlyings and shares that are watched and traded; empty: the twenty-three of the synthetic market.
INSTRUMENTS = env_list("INSTRUMENTS", default=[])

INSTALLED_APPS = [
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "channels",
    "django_prometheus",
    "ninja",
    "trading",
    "risk",
    "oco",
    "reporting",
]

MIDDLEWARE = [
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "aitrapp_site.audit.audited",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_prometheus.middleware.PrometheusAfterMiddleware",
]

ROOT_URLCONF = "aitrapp_site.urls"
ASGI_APPLICATION = "aitrapp_site.asgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
            "libraries": {"safety_bar": "aitrapp_site.safety_bar"},
        },
    },
]

# Without an address of one's own this is where the private servers of this folder listen while they run.
PRIVATE = embedded.addresses(VAR_DIR)
DATABASE_URL = env_str("DATABASE_URL", default=PRIVATE.database_url)
REDIS_URL = env_str("REDIS_URL", default=PRIVATE.redis_url)

_database = database_from_url(DATABASE_URL)
_database["OPTIONS"] = {
    "connect_timeout": "5",
    "application_name": process_name(sys.argv),
    # A statement asked again is planned no more: a third of what a decision costs. A pooler in transaction mode
    # (PgBouncer before 1.21) cannot keep plans: have the programs talk to PostgreSQL itself.
    "server_side_binding": True,
    "prepare_threshold": 5,
    **_database["OPTIONS"],
}
_database["CONN_HEALTH_CHECKS"] = True
if env_bool("DATABASE_POOL", default=False):
    # Under ASGI each request has a thread of its own, so only a pool keeps connections (asgi.py asks for it).
    _database["CONN_MAX_AGE"] = 0
    _database["OPTIONS"]["pool"] = {
        "min_size": 1,
        "max_size": env_int("DATABASE_POOL_SIZE", default=10, minimum=2, maximum=100),
        "timeout": 5,
    }
else:
    _database["CONN_MAX_AGE"] = None
DATABASES = {"default": _database}

CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [{"address": REDIS_URL}], "prefix": "aitrapp"},
    },
}

CELERY_BROKER_URL = celery_broker_url(REDIS_URL)
CELERY_TIMEZONE = "Asia/Kolkata"
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_DEFAULT_QUEUE = "celery"
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# Structlog owns the root logger; Celery would replace it.
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_REDIRECT_STDOUTS = False

LANGUAGE_CODE = "en-gb"
TIME_ZONE = "Asia/Kolkata"
USE_TZ = True
USE_I18N = False

# The rest of the console is in aitrapp_site/console.py, whose functions are named here.
UNFOLD = {
    "SITE_TITLE": "AITRAPP",
    "SITE_HEADER": "AITRAPP",
    "SITE_SUBHEADER": "times in IST",
    "SITE_URL": None,
    "ENVIRONMENT": "aitrapp_site.console.mode_badge",
    "DASHBOARD_CALLBACK": "aitrapp_site.home.home",
    "SIDEBAR": {"navigation": "aitrapp_site.console.sidebar"},
    "STYLES": ["aitrapp_site.console.stylesheet"],
}

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
with contextlib.suppress(OSError):
    # Whitenoise warns at every start about a folder that is absent.
    STATIC_ROOT.mkdir(exist_ok=True)
# TradingView's Lightweight Charts as litecharts ships it: the same bytes as npm's package, in a wheel without needs of
# its own, so pip pins and installs it like everything else. Of that package only the one file is used.
_litecharts = find_spec("litecharts")
if _litecharts is not None and _litecharts.origin is not None:
    STATICFILES_DIRS = [("litecharts", Path(_litecharts.origin).parent / "js")]
# The admin's files are served from the packages themselves, so a fresh clone needs no collectstatic.
WHITENOISE_USE_FINDERS = True

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
HTTPS_ONLY = env_bool("HTTPS_ONLY", default=False)
SESSION_COOKIE_SECURE = HTTPS_ONLY
CSRF_COOKIE_SECURE = HTTPS_ONLY
X_FRAME_OPTIONS = "DENY"

LOGGING_CONFIG = "logging.config.dictConfig"
LOGGING = logging_config(
    LOG_DIR / "aitrapp.log",
    level=env_str("LOG_LEVEL", default="INFO").upper(),
    max_mb=env_int("LOG_MAX_MB", default=50, minimum=1),
    keep=env_int("LOG_KEEP", default=5, minimum=1),
    to_console=env_bool("LOG_TO_CONSOLE", default=False),
)
structlog.configure(
    processors=structlog_processors(),
    logger_factory=structlog.stdlib.LoggerFactory(),
    wrapper_class=structlog.stdlib.BoundLogger,
    cache_logger_on_first_use=True,
)
