"""`python -m amity.edge`: run the collector."""

from amity.edge.serve import serve

if __name__ == "__main__":
    serve()
