"""The demonstration: will this flight arrive late?"""
