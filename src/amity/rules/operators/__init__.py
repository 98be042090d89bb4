"""Rule operators, one a file; the file's name is the operator's."""
