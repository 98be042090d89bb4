"""Every address of the web process: the admin's, and each screen area's (`web/*/urls.py`)."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, path

from amity.web.shell import areas

admin.autodiscover()
urlpatterns: list[URLPattern | URLResolver] = [path("admin/", admin.site.urls)]
for _area in areas():
    urlpatterns += _area.urlpatterns

handler403 = "amity.web.errors.denied"
handler404 = "amity.web.errors.not_found"
handler500 = "amity.web.errors.failed"
