"""The current release as a server holds it, replaced while requests go on."""
