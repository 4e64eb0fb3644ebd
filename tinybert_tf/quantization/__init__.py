"""Number formats for the phone, and the fake quantization that trains for them."""
