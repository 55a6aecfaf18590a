"""What chats call: `/hooks/PROVIDER/chat`."""

from __future__ import annotations

from django.urls import path

from midwatch.api import chat_views

app_name = "chat"
urlpatterns = [path("hooks/<str:provider>/chat", chat_views.hook, name="hook")]
