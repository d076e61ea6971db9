{{ eiderdown.version_notes() }}
