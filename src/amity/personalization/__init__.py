"""The personalization engine: what to show whom.

Offers, placements, decisions and what is learnt from their outcomes; the real-time decision
engine. `decide` is a pure function; everything it knows comes in a snapshot and a profile.
"""
