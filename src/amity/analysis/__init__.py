"""ENGINE 2, analysis and segmentation.

Segments are live rules over profiles and events; estimators turn histories into predictions.
Doors: `api` and `contracts`.
"""
