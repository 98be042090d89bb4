"""When and by what channel customers like to be reached, as far as they show it."""
