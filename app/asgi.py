"""What the server runs: the pages of main.py, the files that are too large for a page to give away, and the doors."""

from starlette.middleware import Middleware
from streamlit.starlette import App

from app.doors import login
from app.doors.callers import Callers
from app.doors.told import Told
from app.doors.uploads import Uploads
from app.doors.visitor_cookie import VisitorCookie
from app.exports import downloads
from app.jobs.services import public
from app.shell import page_html

pages = page_html.routes()
doors = [Middleware(Told, document=page_html.document()), Middleware(Callers, public=public())]
own = frozenset(route.path for route in pages)
if login.asked():
    doors.append(Middleware(login.Login, admitted=login.said(), pages=own))
doors.append(Middleware(Uploads, public=public()))
if public():
    doors.append(Middleware(VisitorCookie, pages=own))
app = App("main.py", routes=[*pages, *downloads.routes()], middleware=doors)
