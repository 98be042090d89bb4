"""The palette's address."""

from django.urls import path

from amity.web.find import views

urlpatterns = [path("find/", views.find, name="find")]
