"""What stands around every page: margin, gallery, runs that go on."""
