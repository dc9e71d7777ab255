"""The user service: accounts, sign-in, tokens, profiles and preferences."""
