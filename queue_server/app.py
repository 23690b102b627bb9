"""The web process: the wire and the pages on one Flask application. It loads neither Celery nor Label Studio's SDK."""

import json
import time

import structlog
from flask import Flask, Response, g, request
from flask_cors import CORS
from sqlalchemy.exc import InterfaceError, OperationalError
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.proxy_fix import ProxyFix

from queue_server.api import (
    alerts,
    changes,
    exports,
    feedback,
    health,
    meters,
    models,
    policy,
    queries,
    reports,
    requests,
    retraining,
    samples,
    shown,
    slices,
    widgets,
)
from queue_server.api.answers import Problem, ProblemField
from queue_server.api.endpoint import adapter
from queue_server.api.limits import RateLimits
from queue_server.api.openapi import openapi
from queue_server.api.whole_tail import with_whole_tails
from queue_server.backend import Backend, open_backend
from queue_server.errors import BlobError, ProblemError
from queue_server.logs import configure_logs
from queue_server.meters import REQUEST_SECONDS, REQUESTS
from queue_server.pages import blueprint as pages
from queue_server.settings import load
from queue_server.store.engine import check_schema

_log = structlog.get_logger()
#: room for what a multipart body holds besides its sample and its image
_FORM_SLACK_BYTES = 100_000


def create_app(backend: Backend | None = None) -> Flask:
    """Make the application; without a backend, on this process's settings and a schema that is up to date."""
    if backend is None:
        configure_logs()
        backend = open_backend(load())
        check_schema(backend.engine)
    _ = backend.settings.secret_keys  # a process that cannot sign must not start
    app = Flask(__name__)
    app.extensions["lookswrong"] = backend
    app.extensions["lookswrong_limits"] = RateLimits(backend.settings.broker_url)
    _limit_bodies(app, backend)
    for module in (
        samples,
        requests,
        changes,
        feedback,
        shown,
        queries,
        reports,
        slices,
        models,
        alerts,
        retraining,
        exports,
        policy,
        health,
        meters,
        widgets,
    ):
        app.register_blueprint(module.blueprint)
    app.register_blueprint(pages)
    _add_description(app)
    _add_error_answers(app)
    _add_log(app)
    app.wsgi_app = with_whole_tails(app.wsgi_app)  # type: ignore[assignment,method-assign]  # Flask's own way
    if (trusted := backend.settings.trusted_proxies) > 0:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=trusted, x_proto=0)  # type: ignore[method-assign]  # as above
    # Label Studio's page fetches images, and browsers load the button and post, from other origins; none sends
    # credentials.
    open_paths = r"/(v1/(images/.*|feedback|shown)|widgets/.*)"
    CORS(
        app,
        resources={open_paths: {"origins": "*"}},
        send_wildcard=True,
        expose_headers=["Retry-After"],
        max_age=86_400,
    )
    return app


def _limit_bodies(app: Flask, backend: Backend) -> None:
    settings = backend.settings
    one = settings.max_image_bytes + settings.max_json_bytes + _FORM_SLACK_BYTES
    app.config["MAX_CONTENT_LENGTH"] = max(one, 4 * settings.max_image_bytes)
    app.config["MAX_FORM_MEMORY_SIZE"] = 4 * settings.max_json_bytes
    app.config["MAX_FORM_PARTS"] = 2 * settings.max_batch_samples + 10


def _add_description(app: Flask) -> None:
    app.extensions["lookswrong_openapi"] = openapi()
    document = json.dumps(app.extensions["lookswrong_openapi"], indent=1)

    @app.get("/openapi.json")
    def describe() -> Response:
        return Response(document, mimetype="application/json")


def problem_response(problem: ProblemError) -> Response:
    """Return a problem as RFC 9457 says."""
    errors = [ProblemField(field=fault.field, message=fault.message) for fault in problem.errors]
    value = Problem(type="about:blank", title=problem.title, status=problem.status, errors=errors)
    response = Response(adapter(Problem).dump_json(value), status=problem.status, mimetype="application/problem+json")
    if problem.status == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="lookswrong"'
    if problem.retry_after_seconds is not None:
        response.headers["Retry-After"] = str(problem.retry_after_seconds)
    return response


def _add_error_answers(app: Flask) -> None:
    @app.errorhandler(ProblemError)
    def say_problem(error: ProblemError) -> Response:
        return problem_response(error)

    @app.errorhandler(HTTPException)
    def say_http(error: HTTPException) -> Response:
        if error.code is None or error.code < 400:
            return Response(error.get_response().get_data(), status=error.code, headers=error.get_response().headers)
        response = problem_response(ProblemError(error.code, error.description or error.name))
        if allowed := error.get_response().headers.get("Allow"):
            response.headers["Allow"] = allowed
        return response

    @app.errorhandler(BlobError)
    @app.errorhandler(OperationalError)
    @app.errorhandler(InterfaceError)
    def say_unavailable(error: BlobError | OperationalError | InterfaceError) -> Response:
        # Nothing was stored: the sender keeps it and tries again.
        _log.error("unavailable", action="request", path=request.path, error=str(error)[:500])
        return problem_response(
            ProblemError(503, "a part of this server is down: try again later", retry_after_seconds=5)
        )


def _add_log(app: Flask) -> None:
    @app.before_request
    def start_clock() -> None:
        g.started = time.perf_counter()

    @app.after_request
    def log_request(response: Response) -> Response:
        seconds = time.perf_counter() - g.started if "started" in g else None
        # Not the path, nor a method that anybody makes up: each would have a count of its own.
        rule = request.url_rule
        labels = (request.method, rule.rule) if rule is not None else ("none", "none")
        REQUESTS.labels(*labels, response.status_code).inc()
        if seconds is not None:
            REQUEST_SECONDS.labels(*labels).observe(seconds)
        _log.info(
            "request",
            action="request",
            method=request.method,
            path=request.path,
            status=response.status_code,
            seconds=round(seconds, 4) if seconds is not None else None,
            bytes_in=request.content_length,
        )
        return response
