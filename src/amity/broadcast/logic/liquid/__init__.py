"""The template language: Liquid, compiled to Python that can reach nothing else."""
