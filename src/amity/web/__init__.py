"""The product's screens and its control API, one folder an area.

How to add a screen area (`web/<area>/`; nothing central is edited):

1. `views.py`: plain functions. Each one declares who may see it, and a test walks all addresses
   and fails where it is missing::

       @requires("segments.read")            # a capability of web/staff/permissions.py
       def list_segments(request): ...       # `@public` for what needs no sign-in

   Views compose engines through their `api`; templates get contracts, never models. GET and HEAD
   never change anything; declare methods with `django.views.decorators.http.require_POST` below
   `@requires`. Errors of `kernel.errors` become pages by themselves.
2. `urls.py`: `urlpatterns` with whole paths (`path("segments/", …, name="segments")`) and `RAIL`,
   a list of `shell.Entry` for the rail, the palette and the `g` + letter keys. Found by itself.
3. `templates/<area>/*.html`: `{% extends "base.html" %}{% load amity %}`, blocks `title`, `crumb`,
   `heading`, `scope` (one grey sentence beside the title), `actions`, `page`, `dialogs`, `head`.
   For HTMX (`request.htmx`) answer a piece; the same address works without JavaScript.
4. Tags (`templatetags/amity.py`): `|money:currency`, `|number`, `|percent`, `{% when moment %}`,
   `{% spark values %}`, `{% chart figure "id" %}` (see `charts.py`), `{% asset "file" %}`,
   `{% share part whole %}`. The looks are in `static/amity.css`: card, tag, chip, note, empty,
   figure, timeline, table.cards, tr.go with a.whole (whole row to click), drawer, toast.
5. Behaviour without inline script (the CSP forbids script and style in pages): `data-do="copy"
   data-target="#id"`, `data-do="open" data-target="#a-dialog"`, `data-must-equal="text"` on a field
   that confirms, HTMX into `#drawer-body` for a quick look, the response header
   `HX-Trigger: {"toast": {"text": "Saved", "level": "success"}}`.
"""
