"""Views of status pages: what visitors see (public), what they ask for (subscribing), and what members write (managing)."""
