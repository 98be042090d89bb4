"""Address of the models."""

from django.urls import path

from amity.web.models import predictions, reliability, standing, views, work
from amity.web.shell import Entry

urlpatterns = [
    path("models/", views.models, name="models"),
    path("models/score/", views.score, name="models_score"),
    path("models/score/warehouse/", views.score_store, name="models_score_store"),
    path("models/work/<int:work_id>/", work.show_work, name="models_work"),
    path("models/work/<int:work_id>/stop/", work.stop_work, name="models_work_stop"),
    path("models/predictions/", predictions.predictions, name="predictions"),
    path("models/predictions/new/", predictions.create, name="prediction_create"),
    path("models/predictions/<slug:key>/", predictions.prediction, name="prediction"),
    path("models/predictions/<slug:key>/learn/", predictions.learn, name="prediction_learn"),
    path("models/predictions/<slug:key>/archive/", predictions.archive, name="prediction_archive"),
    path("models/scores/<slug:name>/", standing.standing, name="models_standing"),
    path("models/reliability/", reliability.reliability, name="models_reliability"),
    path("models/reliability.csv", reliability.reliability_csv, name="models_reliability_csv"),
]
RAIL = [
    Entry(
        label="Models",
        url_name="models",
        capability="models.read",
        group="Understand",
        order=30,
        key="m",
    )
]
