"""Signing in and out, one's own password, people and API keys."""

from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from django.contrib import messages
from django.contrib.auth import login, logout, update_session_auth_hash
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from amity.kernel.errors import Unavailable
from amity.web.access import is_confirmed, mark_confirmed, public, requires, staff_of
from amity.web.staff import api_keys, forms, sign_in
from amity.web.staff.models import Role, Staff
from amity.web.staff.permissions import WORDS

_BACKEND = "django.contrib.auth.backends.ModelBackend"


def _next(request: HttpRequest, default: str = "/") -> str:
    """Return where to go on, only ever an address of our own."""
    wanted = request.POST.get("next") or request.GET.get("next") or default
    safe = url_has_allowed_host_and_scheme(
        wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return wanted if safe else default


def _enter(request: HttpRequest, person: Staff, now: datetime) -> None:
    """Begin a session of its own: `login` rotates the session's key and the form token."""
    request.session.flush()
    type(request.session).clear_expired()
    login(request, person, backend=_BACKEND)
    mark_confirmed(request, now)


@public
@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in_form(request: HttpRequest) -> HttpResponse:
    """Sign in by name and password."""
    if request.user.is_authenticated and request.method != "POST":
        return redirect(_next(request))
    form = forms.SignInForm(request.POST or None)
    status = 200
    if request.method == "POST" and form.is_valid():
        now = datetime.now(UTC)
        try:
            person = sign_in.check_password(request, now=now, **form.cleaned_data)
        except Unavailable as error:
            form.add_error(None, error.message)
            status = 429
        else:
            if person is not None:
                _enter(request, person, now)
                return redirect(_next(request))
            form.add_error(None, "Name and password do not go together.")
            status = 422
    return render(
        request, "staff/sign_in.html", {"form": form, "next": _next(request)}, status=status
    )


@public
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in_by_link(request: HttpRequest, token: str) -> HttpResponse:
    """Show a button (GET), which then uses the link up (POST): looking at a link spends nothing."""
    now = datetime.now(UTC)
    if request.method == "POST":
        person = sign_in.use_link(token=token, now=now)
        if person is not None:
            _enter(request, person, now)
            return redirect("/" if person.has_usable_password() else "set_password")
    good = request.method != "POST" and sign_in.is_link_good(token=token, now=now)
    return render(request, "staff/link.html", {"good": good}, status=200 if good else 410)


@requires("account.own")
@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """End this session."""
    logout(request)
    messages.info(request, "You are signed out.")
    return redirect("sign_in")


@requires("account.own")
@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
def set_password(request: HttpRequest) -> HttpResponse:
    """Set one's own password. Only right after proving who one is, however that was done."""
    person = staff_of(request)
    if person.has_usable_password() and not is_confirmed(request):
        return redirect(f"{reverse('confirm')}?next={reverse('set_password')}")
    form = forms.PasswordForm(request.POST or None, person=person)
    if request.method == "POST" and form.is_valid():
        person.set_password(form.cleaned_data["password"])
        person.save(update_fields=["password"])
        update_session_auth_hash(request, person)
        mark_confirmed(request, datetime.now(UTC))
        messages.success(request, "Your password is set. Every other session of yours has ended.")
        return redirect("/")
    return render(request, "staff/password.html", {"form": form})


@requires("account.own")
@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
def confirm(request: HttpRequest) -> HttpResponse:
    """Ask for the password again before something grave."""
    person = staff_of(request)
    if not person.has_usable_password():
        messages.info(request, "Set a password first: this has to be confirmed with it.")
        return redirect("set_password")
    form = forms.ConfirmForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        now = datetime.now(UTC)
        try:
            known = sign_in.check_password(
                request, username=person.username, password=form.cleaned_data["password"], now=now
            )
            if known == person:
                mark_confirmed(request, now)
                return redirect(_next(request))
            form.add_error("password", "That is not your password.")
        except Unavailable as error:
            form.add_error(None, error.message)
    return render(request, "staff/confirm.html", {"form": form, "next": _next(request)})


# --- people --------------------------------------------------------------------------------------


@requires("staff.manage", step_up=True)
@require_http_methods(["GET", "HEAD", "POST"])
def people(request: HttpRequest) -> HttpResponse:
    """List who works here; add somebody, which gives a one-time link to hand over."""
    form = forms.PersonForm(request.POST or None)
    link = ""
    if request.method == "POST" and form.is_valid():
        now = datetime.now(UTC)
        person = sign_in.create_staff(**form.cleaned_data)
        link = request.build_absolute_uri(
            sign_in.create_sign_in_link(
                username=person.username, now=now, lifetime=timedelta(hours=24)
            )
        )
        form = forms.PersonForm()
    return render(request, "staff/people.html", _people(form, link))


def _people(form: forms.PersonForm, link: str = "") -> dict[str, object]:
    rows = [
        {
            "id": person.pk,
            "username": person.username,
            "name": person.get_full_name(),
            "email": person.email,
            "role": person.role,
            "is_active": person.is_active,
            "last_login": person.last_login,
            "has_password": person.has_usable_password(),
        }
        for person in Staff.objects.order_by("-is_active", "username")
    ]
    return {"people": rows, "roles": Role.choices, "words": WORDS, "form": form, "link": link}


@requires("staff.manage", step_up=True)
@require_POST
def change_person(request: HttpRequest, staff_id: int) -> HttpResponse:
    """Change somebody's role or whether they are active; either ends all their sessions."""
    person = get_object_or_404(Staff, pk=staff_id)
    role, active = request.POST.get("role", person.role), request.POST.get("active")
    if role not in Role.values or active not in (None, "yes", "no"):
        return redirect("people")
    is_active = person.is_active if active is None else active == "yes"
    others = Staff.objects.filter(role=Role.ADMIN, is_active=True).exclude(pk=person.pk)
    if (role != Role.ADMIN or not is_active) and not others.exists():
        messages.error(request, "Somebody has to stay admin: this is the last one.")
        return redirect("people")
    person.role, person.is_active = role, is_active
    person.save(update_fields=["role", "is_active"])
    messages.success(request, f"{person.username} was changed; their sessions have ended.")
    return redirect("people")


@requires("staff.manage", step_up=True)
@require_POST
def change_address(request: HttpRequest, staff_id: int) -> HttpResponse:
    """Set where somebody who works here is mailed; their sessions go on."""
    person = get_object_or_404(Staff, pk=staff_id)
    form = forms.AddressForm(request.POST)
    if not form.is_valid():
        messages.error(request, "That is no mail address.")
        return redirect("people")
    person.email = form.cleaned_data["email"]
    person.save(update_fields=["email"])
    where = person.email or "nowhere"
    messages.success(request, f"{person.username} is mailed reports at {where}.")
    return redirect("people")


@requires("staff.manage", step_up=True)
@require_POST
def make_link(request: HttpRequest, staff_id: int) -> HttpResponse:
    """Make a new one-time link for somebody who cannot sign in."""
    person = get_object_or_404(Staff, pk=staff_id, is_active=True)
    link = sign_in.create_sign_in_link(
        username=person.username, now=datetime.now(UTC), lifetime=timedelta(hours=24)
    )
    page = _people(forms.PersonForm(), request.build_absolute_uri(link))
    return render(request, "staff/people.html", page)


# --- API keys ------------------------------------------------------------------------------------


@requires("keys.manage", step_up=True)
@require_http_methods(["GET", "HEAD", "POST"])
def keys(request: HttpRequest) -> HttpResponse:
    """List API keys; make one, whose text is shown on the answer and never again."""
    form = forms.KeyForm(request.POST or None)
    text = ""
    if request.method == "POST" and form.is_valid():
        days = form.cleaned_data["days"]
        text = api_keys.create_api_key(
            name=form.cleaned_data["name"],
            scopes=form.cleaned_data["scopes"],
            by=staff_of(request).username,
            expires_at=datetime.now(UTC) + timedelta(days=days) if days else None,
        )
        form = forms.KeyForm()
    page = {
        "keys": api_keys.list_api_keys(),
        "now": datetime.now(UTC),
        "form": form,
        "text": text,
    }
    return render(request, "staff/keys.html", page)


@requires("keys.manage", step_up=True)
@require_POST
def revoke_key(request: HttpRequest, key_id: int) -> HttpResponse:
    """End a key at once."""
    api_keys.revoke_api_key(key_id=key_id, now=datetime.now(UTC))
    messages.success(request, "The key is revoked; calls with it are refused from now on.")
    return redirect("keys")


@public
@require_safe
def admin_sign_in(request: HttpRequest) -> HttpResponse:
    """Send the admin's own sign-in page to ours, so that there is one door and one limit."""
    return redirect(f"/sign-in/?next={quote(_next(request, '/admin/'))}")
