"""The pages of incidents: list, declaration, the room, and every act in it as a form."""
