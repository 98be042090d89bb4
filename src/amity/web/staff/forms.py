"""Forms of the staff screens: they validate, they never save."""

from typing import Any

from django import forms
from django.contrib.auth import password_validation

from amity.web.staff.api_keys import EVERYTHING, SCOPES
from amity.web.staff.models import Role, Staff


class SignInForm(forms.Form):
    """Who, and the password."""

    username = forms.CharField(
        label="Name",
        max_length=150,
        widget=forms.TextInput(attrs={"autocomplete": "username", "autofocus": True}),
    )
    password = forms.CharField(
        max_length=1000,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )


class ConfirmForm(forms.Form):
    """The password once more."""

    password = forms.CharField(
        max_length=1000,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password", "autofocus": True}),
    )


class PasswordForm(forms.Form):
    """A new password, checked against rules and a list of common ones."""

    password = forms.CharField(
        label="New password",
        max_length=1000,
        strip=False,
        help_text="At least ten characters. A few words in a row are easy to keep in mind.",
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password", "autofocus": True}),
    )

    def __init__(self, *args: Any, person: Staff, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.person = person

    def clean_password(self) -> str:
        """Refuse what is short, common, or the person's own name."""
        password: str = self.cleaned_data["password"]
        password_validation.validate_password(password, self.person)
        return password


class PersonForm(forms.Form):
    """A new member of staff."""

    username = forms.SlugField(
        label="Sign-in name", max_length=150, help_text="Letters, digits, - and _."
    )
    name = forms.CharField(label="Full name", max_length=150, required=False)
    email = forms.EmailField(
        label="Mail address", required=False, help_text="For reports by mail; never for customers."
    )
    role = forms.ChoiceField(choices=Role.choices, initial=Role.VIEWER)

    def clean_username(self) -> str:
        """Refuse a name that is taken."""
        username: str = self.cleaned_data["username"]
        if Staff.objects.filter(username__iexact=username).exists():
            raise forms.ValidationError("Somebody already has this sign-in name.")
        return username


class KeyForm(forms.Form):
    """A new API key."""

    name = forms.CharField(
        max_length=100, help_text="What uses it, so that you know it again: “till export”."
    )
    scopes = forms.MultipleChoiceField(
        choices=[(scope, scope) for scope in (*SCOPES, EVERYTHING)],
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Choose at least one."},
    )
    days = forms.TypedChoiceField(
        label="Ends",
        coerce=int,
        choices=[(30, "in 30 days"), (90, "in 90 days"), (365, "in a year"), (0, "never")],
        initial=90,
    )


class AddressForm(forms.Form):
    """Where somebody who works here is mailed; empty for nowhere."""

    email = forms.EmailField(required=False)
