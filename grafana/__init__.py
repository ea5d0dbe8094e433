"""The Grafana dashboards, as code: ``python -m grafana`` (or ``make dashboards``) writes the JSON that is committed.

``queries`` knows the metrics, ``variables`` the choices at the top of a dashboard, ``panels`` how things look, and
``dashboards`` puts rows of panels on a page. ``fleet``, ``job`` and ``exporter`` say what is on each.
"""
