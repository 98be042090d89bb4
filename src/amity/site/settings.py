"""Django's settings, made from Amity's own (`infra.config`)."""

from pathlib import Path
from typing import Any

import psycopg

from amity.infra import database
from amity.infra.config import settings
from amity.infra.crypto import installation_secrets

_amity = settings()
_WEB = Path(__file__).parent.parent / "web"

SECRET_KEY = installation_secrets().web_key
DEBUG = False
ALLOWED_HOSTS = [
    "localhost",
    "127.0.0.1",
    "[::1]",
    _amity.web_host,
    *filter(None, _amity.public_hosts.split(",")),
]

INSTALLED_APPS = [
    "unfold",
    # Its pages are loaded with the screens (`site.urls`): no other process shows them.
    "django.contrib.admin.apps.SimpleAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_htmx",
    "procrastinate.contrib.django",
    "amity.web",
    "amity.web.staff",
    "amity.store",
    "amity.analysis",
    "amity.personalization",
    "amity.broadcast",
]
AUTH_USER_MODEL = "staff.Staff"
ROOT_URLCONF = "amity.site.urls"
WSGI_APPLICATION = "amity.site.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"


def _connection(role: database.Role) -> dict[str, Any]:
    parts = psycopg.conninfo.conninfo_to_dict(database.conninfo(role))
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.pop("dbname"),
        "USER": parts.pop("user", ""),
        "PASSWORD": parts.pop("password", ""),
        "HOST": parts.pop("host", ""),
        "PORT": str(parts.pop("port", "")),
        "OPTIONS": parts,
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
    }


DATABASES = {"default": _connection("app"), "owner": _connection("owner")}

MIDDLEWARE = [
    "amity.web.middleware.Health",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "amity.web.middleware.Headers",
    "amity.web.middleware.ReaderZone",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "amity.web.middleware.Errors",
]

# --- who you are -------------------------------------------------------------------------------
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
_VALIDATION = "django.contrib.auth.password_validation."
AUTH_PASSWORD_VALIDATORS: list[dict[str, Any]] = [
    {"NAME": _VALIDATION + "MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": _VALIDATION + "CommonPasswordValidator"},
    {"NAME": _VALIDATION + "UserAttributeSimilarityValidator"},
]
LOGIN_URL = "/sign-in/"
SESSION_ENGINE = "django.contrib.sessions.backends.db"
SESSION_COOKIE_AGE = 7 * 24 * 3600
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
# Browsers share cookies between the ports of a host, so the port keeps two installations apart.
_prefix = "__Host-" if _amity.https else ""
SESSION_COOKIE_NAME = f"{_prefix}amity_{_amity.web_port}"
CSRF_COOKIE_NAME = f"{_prefix}csrf_{_amity.web_port}"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _amity.https
# No cookie of its own for the words shown after an action.
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if _amity.https else None
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if _amity.https else 0
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CSRF_FAILURE_VIEW = "amity.web.errors.stale_form"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": sorted(_WEB.glob("*/templates")),
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "amity.web.shell.context",
            ]
        },
    }
]

# The largest rule there can be, as the fields of its form.
DATA_UPLOAD_MAX_NUMBER_FIELDS = 10_000

STATIC_URL = "/static/"
STATICFILES_FINDERS = [
    "django.contrib.staticfiles.finders.AppDirectoriesFinder",
    "amity.web.finders.PlotlyFinder",
]
WHITENOISE_USE_FINDERS = True
# Pages name static files with a fingerprint of their content, so these may be kept.
WHITENOISE_MAX_AGE = 24 * 3600

# Ours is set up by `infra.telemetry`; Django's default would mail errors.
LOGGING_CONFIG = None

_SHADES = {
    "50": "#f0f8f7",
    "100": "#e0efed",
    "200": "#c0dedb",
    "300": "#93c6c1",
    "400": "#5fb8b1",
    "500": "#2f8a84",
    "600": "#1f6f6b",
    "700": "#195a57",
    "800": "#164846",
    "900": "#123a38",
    "950": "#0a2423",
}
UNFOLD = {
    "SITE_TITLE": "Amity",
    "SITE_HEADER": "Amity",
    "SITE_SUBHEADER": "Staff records",
    "SITE_URL": "/",
    "COLORS": {"primary": _SHADES},
    "SITE_FAVICONS": [],
}

# Jobs live in each engine's `jobs.py`, and are loaded by the worker that runs them, nobody else.
PROCRASTINATE_AUTODISCOVER_MODULE_NAME = ""
PROCRASTINATE_IMPORT_PATHS = [
    f"amity.{engine}.jobs" for engine in ("store", "analysis", "personalization")
]
