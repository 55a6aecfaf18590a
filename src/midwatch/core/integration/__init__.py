"""What a vendor folder may implement, and how it is found.

A vendor is one folder below `midwatch.integrations`, one file a capability:

* `source.py`: what machines send us. `parse(payload) -> list[Event | Refused]`, pure.
* `channel.py`: how we reach people. `send(message, config) -> Receipt`, raising `DeliveryError`.
* `inbound.py`: what a channel's provider calls back. `receive(request, config) -> InboundReply`, pure.
* `chat.py`: where people talk about an incident. `tend(wish, config) -> ChatRoom`, raising `ChatError`.
* `talk.py`: what people say to us there; its protocol is `midwatch.core.talking`, which it imports too.
* `publisher.py`: a status page elsewhere. `publish(page, update, config)`, raising `PublishError`.
* `runner.py`: who does a step of a runbook. `run(task, out, config) -> Outcome`; what it says never holds a secret.
* `importer.py`: what another product keeps, as runbooks. `read(files, wish) -> Imports`, pure.

There is no list to edit: `sources()` and `channels()` look at the folders. Of Midwatch, vendors import this package,
`midwatch.core.net`, `midwatch.core.payload`, `midwatch.core.text` and `midwatch.core.text_sms`, runners also
`midwatch.core.programs` and `midwatch.core.running`, importers `midwatch.core.foreign` and `midwatch.core.patterns`, and
nothing else; no Django, no clock, no database. `tests/kit` tests every folder it finds; `docs/reference/integrations.md`
is the manual.
"""

from midwatch.core.integration.events import (
    DESCRIPTION_MAX,
    KEY_MAX,
    LABEL_NAME_MAX,
    LABEL_VALUE_MAX,
    LABELS_MAX,
    LINK_HREF_MAX,
    LINK_TEXT_MAX,
    LINKS_MAX,
    PRIORITY_DEFAULT,
    PRIORITY_WORDS,
    REASON_MAX,
    TITLE_MAX,
    Accept,
    Event,
    Link,
    Refuse,
    Refused,
    Rejected,
    Source,
    Status,
)
from midwatch.core.integration.folders import (
    channels,
    chats,
    importers,
    inbounds,
    modules,
    publishers,
    runners,
    senders,
    sources,
    vendors,
)
from midwatch.core.integration.importers import (
    ImportedRunbook,
    Importer,
    Imports,
    ImportWish,
    Mapped,
    MappedWord,
)
from midwatch.core.integration.messages import (
    NULL_CHANNEL,
    Act,
    Channel,
    ChannelConfig,
    DeliveryError,
    Inbound,
    InboundReply,
    InboundRequest,
    Message,
    MessageAlert,
    Question,
    Receipt,
    ReceiptWord,
    StatusReport,
)
from midwatch.core.integration.rooms import (
    Chat,
    ChatError,
    ChatRoom,
    ChatWish,
    PublishedUpdate,
    Publisher,
    PublishError,
)
from midwatch.core.integration.runners import (
    Limits,
    Outcome,
    Output,
    Preview,
    Runner,
    RunnerConfig,
    Task,
)

__all__ = [
    "DESCRIPTION_MAX",
    "KEY_MAX",
    "LABELS_MAX",
    "LABEL_NAME_MAX",
    "LABEL_VALUE_MAX",
    "LINKS_MAX",
    "LINK_HREF_MAX",
    "LINK_TEXT_MAX",
    "NULL_CHANNEL",
    "PRIORITY_DEFAULT",
    "PRIORITY_WORDS",
    "REASON_MAX",
    "TITLE_MAX",
    "Accept",
    "Act",
    "Channel",
    "ChannelConfig",
    "Chat",
    "ChatError",
    "ChatRoom",
    "ChatWish",
    "DeliveryError",
    "Event",
    "ImportWish",
    "ImportedRunbook",
    "Importer",
    "Imports",
    "Inbound",
    "InboundReply",
    "InboundRequest",
    "Limits",
    "Link",
    "Mapped",
    "MappedWord",
    "Message",
    "MessageAlert",
    "Outcome",
    "Output",
    "Preview",
    "PublishError",
    "PublishedUpdate",
    "Publisher",
    "Question",
    "Receipt",
    "ReceiptWord",
    "Refuse",
    "Refused",
    "Rejected",
    "Runner",
    "RunnerConfig",
    "Source",
    "Status",
    "StatusReport",
    "Task",
    "channels",
    "chats",
    "importers",
    "inbounds",
    "modules",
    "publishers",
    "runners",
    "senders",
    "sources",
    "vendors",
]
