"""The Grafana dashboards, as code: ``python -m grafana`` (or ``make dashboards``) writes the committed JSON files.

``queries`` has the PromQL, ``variables`` the dashboard variables, ``panels`` the panel types, and ``dashboards`` the
layout. ``fleet``, ``job`` and ``exporter`` define one dashboard each.
"""
