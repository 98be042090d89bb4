"""How far what is bought follows price and discount."""
