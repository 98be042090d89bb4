"""The broadcast engine: reaching customers who agreed to it.

Templates, campaigns, journeys and the send ledger: nothing is sent without a row in it, nothing
is sent twice, and what is doubtful is shown.
"""
