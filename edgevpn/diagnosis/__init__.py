"""Why a connection failed, in plain words: the catalogue of causes, and the attempts that were seen."""
