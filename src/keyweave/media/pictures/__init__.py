"""Still pictures, animations and folders of pictures."""
