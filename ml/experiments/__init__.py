"""Who gets which model: experiments as declared, what predictions cost, and the policies that learn from it."""
