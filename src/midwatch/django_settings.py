"""Django's settings, derived from Midwatch's own (`settings.py`), which are the ones to set."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from midwatch.core import sqlite_library
from midwatch.lifecycle import installed_apps
from midwatch.settings import secret_key, settings

sqlite_library.swap_in()  # before anything of Django imports sqlite3: the system's may lose committed data

_settings = settings()
_base = urlsplit(_settings.base_url)
_public = urlsplit(_settings.public_url)
_origins = sorted({f"{url.scheme}://{url.netloc}" for url in (_base, _public)})

BASE_DIR = Path(__file__).resolve().parent
DEBUG = False
SECRET_KEY = secret_key()
ROOT_URLCONF = "midwatch.web.urls"
AUTH_USER_MODEL = "people.User"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    *installed_apps(),
]
MIDDLEWARE = [
    "midwatch.web.middleware.SecurityHeaders",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "midwatch.web.middleware.Hosts",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "midwatch.web.middleware.Viewer",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "midwatch.web.context.page",
            ],
        },
    }
]

DATABASES: dict[str, dict[str, object]]
if _settings.is_sqlite:
    _settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    # Connections are kept: opening one costs 3 ms, and closing the last one a checkpoint.
    DATABASES = {
        "default": {"ENGINE": "midwatch.core.sqlite", "NAME": str(_settings.main_database), "CONN_MAX_AGE": None}
    }
else:
    DATABASES = {
        "default": {
            "ENGINE": "midwatch.core.postgresql",
            "NAME": urlsplit(_settings.database_url).path.lstrip("/"),
            "OPTIONS": {"conninfo": _settings.database_url},
            "CONN_MAX_AGE": 300,
            "CONN_HEALTH_CHECKS": True,
            "DISABLE_SERVER_SIDE_CURSORS": True,
        }
    }

# Argon2id m=19 MiB, t=2, p=1 (OWASP's figures); the hasher's subclass holds them.
PASSWORD_HASHERS = ["midwatch.people.passwords.Argon2id"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ("name", "display_name", "email")},
    },
]
AUTHENTICATION_BACKENDS = ["midwatch.people.passwords.Backend"]
LOGIN_URL = "/login"
LOGIN_REDIRECT_URL = "/"
SESSION_ENGINE = "midwatch.web.sessions"
SESSION_COOKIE_NAME = "midwatch_session"
SESSION_COOKIE_AGE = 30 * 24 * 3600
SESSION_COOKIE_SECURE = _base.scheme == "https"
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SECURE = SESSION_COOKIE_SECURE
CSRF_TRUSTED_ORIGINS = _origins
CSRF_FAILURE_VIEW = "midwatch.web.errors.csrf_failure"
# Checked by midwatch.web.middleware.Hosts: intake and landing pages answer any host, the rest only ours.
ALLOWED_HOSTS = ["*"]
SECURE_PROXY_SSL_HEADER = None  # X-Forwarded-* are read by our middleware, and only from MIDWATCH_TRUSTED_PROXIES
SILENCED_SYSTEM_CHECKS = ["security.W001"]
APPEND_SLASH = False
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2_000
MESSAGE_STORAGE = "django.contrib.messages.storage.cookie.CookieStorage"

USE_TZ = True
TIME_ZONE = "UTC"
USE_I18N = False  # there is one language: looking each word up in an empty catalogue took a fifth of a page's time
LANGUAGE_CODE = "en"
STATIC_URL = "/static/"
STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.AppDirectoriesFinder"]
WHITENOISE_USE_FINDERS = True  # what the package carries is served as it is: no collectstatic, no static root
WHITENOISE_MAX_AGE = 24 * 3600
WHITENOISE_ALLOW_ALL_ORIGINS = False
WHITENOISE_IMMUTABLE_FILE_TEST = r"/dist/[a-z]+\.[0-9a-f]{10}\.(css|js|svg)$"  # built names carry their content's hash

LOGGING_CONFIG = None  # midwatch.core.logs.configure() does it: no paths, no secrets
