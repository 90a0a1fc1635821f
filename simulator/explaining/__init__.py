"""Why a run is as fast as it is: where time went, what differs between scenarios, what would help."""
