"""Reports: results for people, as text, data frames, figures and one self-contained page."""
