"""The people who work with Amity: staff, their roles, sign-in links and API keys."""
