"""The addresses below `/api/`."""

from django.urls import path, re_path

from amity.web.api import views

urlpatterns = [
    path("api/", views.index, name="api"),
    path("api/openapi.json", views.openapi, name="api_openapi"),
    re_path(r"^api/v1/(?P<path>[\s\S]*)\Z", views.api_v1, name="api_v1"),
]
