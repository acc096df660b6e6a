from django.apps import AppConfig


class OcoConfig(AppConfig):
    name = "oco"
