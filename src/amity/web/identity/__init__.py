"""Who is who: a customer's identity drawn, joining and splitting by hand, the review queue."""
