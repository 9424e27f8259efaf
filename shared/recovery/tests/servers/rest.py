"""A third party's API as the documentation of Django REST framework has one written.

rest.py make DATABASE < RECORDS.json     a table of plays, which datasette serves too
rest.py serve DATABASE PORT              pages, offsets, cursors; shuffled ones, and ones at twenty calls a second
"""

import json
import sqlite3
import sys

from django.conf import settings

if __name__ == "__main__" and sys.argv[1] == "make":
    plays = json.load(sys.stdin)["plays"]
    with sqlite3.connect(sys.argv[2]) as database:
        database.execute("create table plays (id integer primary key, played_at text, played_ms integer, song text)")
        database.executemany("insert into plays values (:id, :played_at, :played_ms, :song)", plays)
    sys.exit()

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": sys.argv[2]}},
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    INSTALLED_APPS=["rest_framework"],
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": [],
        "DEFAULT_PERMISSION_CLASSES": [],
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        "DEFAULT_THROTTLE_RATES": {"anon": "20/second"},
        "UNAUTHENTICATED_USER": None,
    },
    ROOT_URLCONF=__name__,
    SECRET_KEY="a test",
    USE_TZ=True,
)

import django  # noqa: E402

django.setup()

from django.core.servers.basehttp import run  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.db import models  # noqa: E402
from django.urls import path  # noqa: E402
from django.utils.dateparse import parse_datetime  # noqa: E402
from rest_framework import generics, pagination, serializers, throttling  # noqa: E402


class Play(models.Model):
    id = models.IntegerField(primary_key=True)
    played_at = models.TextField()
    played_ms = models.IntegerField()
    song = models.TextField()

    class Meta:
        app_label = "plays"
        db_table = "plays"
        managed = False


class PlaySerializer(serializers.ModelSerializer):
    class Meta:
        model = Play
        fields = ["id", "played_at", "song"]


class Pages(pagination.PageNumberPagination):
    page_size_query_param = "page_size"
    max_page_size = 100


class Offsets(pagination.LimitOffsetPagination):
    default_limit = 10
    max_limit = 100


class Cursors(pagination.CursorPagination):
    ordering = "played_ms"
    page_size_query_param = "page_size"
    max_page_size = 100
    page_size = 10


class Plays(generics.ListAPIView):
    serializer_class = PlaySerializer
    order = "id"

    def get_queryset(self):
        since, until = (
            round(parse_datetime(self.request.query_params[name]).timestamp() * 1000) for name in ("since", "until")
        )
        return Play.objects.filter(played_ms__gte=since, played_ms__lt=until).order_by(self.order)


urlpatterns = [
    path("pages", Plays.as_view(pagination_class=Pages)),
    path("offsets", Plays.as_view(pagination_class=Offsets)),
    path("cursors", Plays.as_view(pagination_class=Cursors)),
    path("shuffled", Plays.as_view(pagination_class=Pages, order="?")),
    path("throttled", Plays.as_view(pagination_class=Pages, throttle_classes=[throttling.AnonRateThrottle])),
]

if __name__ == "__main__":
    run("127.0.0.1", int(sys.argv[3]), get_wsgi_application(), threading=True)
