"""The settings of a Django project that has none."""

USE_TZ = True
