"""The palette's answers: customers, segments and pages by a few letters."""
