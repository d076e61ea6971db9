"""Who gets which model: requests are assigned here; what is learned of arms, and shadows, are for processes beside."""
