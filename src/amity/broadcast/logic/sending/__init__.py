"""From the ledger to the wire: claimed, passed by the gate, handed over, written down."""
