"""What an attacker has in the place of medical images: photographs, drawings, and their cache."""
