"""What is typed in a page is told from what is answered."""

from __future__ import annotations

from tests.docs.pages import Page
from tests.docs.transcript import Call, calls


class Written(Page):
    """A page that lies nowhere."""

    text = """
Like this:

```console
$ feed it <<END
$ of the text
END
fed
$ look
NAME   AGE
one    …
…
error: it is small
```
"""


def test_a_command_has_what_it_feeds_and_what_is_answered() -> None:
    feed, look = calls(Written.__new__(Written))

    assert feed == Call("feed it <<END\n$ of the text\nEND", ["fed"])
    assert (look.command, feed.is_refused, look.is_refused) == ("look", False, True)


def test_each_line_of_an_answer_is_looked_for() -> None:
    """Space does not matter, an ellipsis stands for anything, and no line for a part of one."""
    call = Call("look", ["NAME   AGE", "one    …", "…", "a.b"])

    assert call.missing_in("a.b\n\nNAME AGE\none  3 s") == []
    assert call.missing_in("NAME AGE !\nall one 3 s\naxb") == ["NAME   AGE", "one    …", "a.b"]
