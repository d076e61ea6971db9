"""The application as a Ray Serve deployment. Imported by `eiderdown ray` alone, since it needs the extra `ray`."""
