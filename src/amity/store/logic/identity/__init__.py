"""Who is who: rules, evidence, decisions of staff, records that are alike."""
