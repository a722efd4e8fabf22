"""A service under mixed load for twenty minutes, with a fault every minute: does anything grow?"""
