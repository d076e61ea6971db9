"""Who gets which model: experiments as declared, and the policies that move their weights."""
