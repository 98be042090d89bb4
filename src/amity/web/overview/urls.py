"""Address of the overview."""

from django.urls import path

from amity.web.overview import views
from amity.web.shell import Entry

urlpatterns = [path("", views.overview, name="overview")]
RAIL = [Entry(label="Overview", url_name="overview", capability="overview.read", order=10, key="o")]
