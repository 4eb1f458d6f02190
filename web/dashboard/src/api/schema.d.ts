/* Made by make web-types from api/openapi.json, sha256 bbf2e6401660b6b30b278784c0375afc29609d5cade888ca74fab15a510c9a84 */

export interface paths {
    "/alerts": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: {
                    limit?: number;
                    before?: number | null;
                    project?: string | null;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["AlertOverview"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/alerts/channels": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: {
                    project?: string | null;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ChannelList"];
                    };
                };
            };
        };
        put?: never;
        post: {
            parameters: {
                query?: {
                    project?: string | null;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["SetChannel"];
                };
            };
            responses: {
                201: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ChannelInfo"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/alerts/channels/{channel_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put: {
            parameters: {
                query?: {
                    project?: string | null;
                };
                header?: never;
                path: {
                    channel_id: number;
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["SetChannel"];
                };
            };
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ChannelInfo"];
                    };
                };
            };
        };
        post?: never;
        delete: {
            parameters: {
                query?: {
                    project?: string | null;
                };
                header?: never;
                path: {
                    channel_id: number;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                204: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
            };
        };
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/alerts/channels/{channel_id}/test": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post: {
            parameters: {
                query?: {
                    project?: string | null;
                };
                header?: never;
                path: {
                    channel_id: number;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["TestResult"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/alerts/rules": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: {
                    project?: string | null;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["RuleList"];
                    };
                };
            };
        };
        put?: never;
        post: {
            parameters: {
                query?: {
                    project?: string | null;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["AddRule"];
                };
            };
            responses: {
                201: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["RuleInfo"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/alerts/rules/{rule_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        delete: {
            parameters: {
                query?: {
                    project?: string | null;
                };
                header?: never;
                path: {
                    rule_id: number;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                204: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
            };
        };
        options?: never;
        head?: never;
        patch: {
            parameters: {
                query?: {
                    project?: string | null;
                };
                header?: never;
                path: {
                    rule_id: number;
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["ChangeRule"];
                };
            };
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["RuleInfo"];
                    };
                };
            };
        };
        trace?: never;
    };
    "/alerts/{alert_id}/acknowledge": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post: {
            parameters: {
                query?: {
                    project?: string | null;
                };
                header?: never;
                path: {
                    alert_id: number;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["AlertItem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/analysis/experiment": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post: {
            parameters: {
                query?: {
                    project?: string | null;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["ExperimentQuestion"];
                };
            };
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ExperimentAnswer"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/analysis/funnel": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post: {
            parameters: {
                query?: {
                    project?: string | null;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["FunnelQuestion"];
                };
            };
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["FunnelAnswer"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/analysis/journeys": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post: {
            parameters: {
                query?: {
                    project?: string | null;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["JourneyQuestion"];
                };
            };
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["JourneyAnswer"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/analysis/people": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post: {
            parameters: {
                query?: {
                    project?: string | null;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["PeopleQuestion"];
                };
            };
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["PeoplePage"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/analysis/retention": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post: {
            parameters: {
                query?: {
                    project?: string | null;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["RetentionQuestion"];
                };
            };
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["RetentionAnswer"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/analysis/trends": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post: {
            parameters: {
                query?: {
                    project?: string | null;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["TrendQuestion"];
                };
            };
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["TrendAnswer"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/annotations": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: {
                    since?: string | null;
                    until?: string | null;
                    project?: string | null;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["AnnotationList"];
                    };
                };
            };
        };
        put?: never;
        post: {
            parameters: {
                query?: {
                    project?: string | null;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["AnnotationBody"];
                };
            };
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["AnnotationItem"];
                    };
                };
                201: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["AnnotationItem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/annotations/{annotation_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        delete: {
            parameters: {
                query?: {
                    project?: string | null;
                };
                header?: never;
                path: {
                    annotation_id: number;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                204: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
            };
        };
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api-traffic": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: {
                    days?: number;
                    include_bots?: boolean;
                    project?: string | null;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": Record<string, never>;
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/auth/login": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["LogIn"];
                };
            };
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["SessionInfo"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/auth/logout": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                204: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/auth/session": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["SessionInfo"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/browser-script": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: {
                    project?: string | null;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["BrowserScript"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/config": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: {
                    project?: string | null;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Config"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/deliveries": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: {
                    project?: string | null;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["DeliveryOverview"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/deliveries/breakdown": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: {
                    by?: components["schemas"]["Grain"];
                    destination?: string | null;
                    event_type?: string | null;
                    from?: string | null;
                    to?: string | null;
                    limit?: number;
                    project?: string | null;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Breakdown"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/deliveries/dead-letters/discard": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post: {
            parameters: {
                query?: {
                    project?: string | null;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["DiscardDeadLetters"];
                };
            };
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["DeadLettersDiscarded"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/deliveries/dead-letters/groups": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: {
                    project?: string | null;
                    destination?: string | null;
                    replay?: number | null;
                    kind?: components["schemas"]["DeadKind"] | null;
                    event_type?: string | null;
                    text?: string | null;
                    from?: string | null;
                    until?: string | null;
                    discarded?: boolean;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["DeadLetterGroups"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/deliveries/dead-letters/retry": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post: {
            parameters: {
                query?: {
                    project?: string | null;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["RetryDeadLetters"];
                };
            };
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Retried"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/deliveries/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query: {
                    seq: number[];
                    project?: string | null;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["EventFatesFound"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/deliveries/replay": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post: {
            parameters: {
                query?: {
                    project?: string | null;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["StartReplay"];
                };
            };
            responses: {
                201: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ReplayInfo"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/deliveries/replays": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: {
                    destination?: string | null;
                    limit?: number;
                    before?: number | null;
                    project?: string | null;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ReplayList"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/deliveries/replays/{replay_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: {
                    project?: string | null;
                };
                header?: never;
                path: {
                    replay_id: number;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ReplayInfo"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch: {
            parameters: {
                query?: {
                    project?: string | null;
                };
                header?: never;
                path: {
                    replay_id: number;
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["ChangeReplay"];
                };
            };
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ReplayInfo"];
                    };
                };
            };
        };
        trace?: never;
    };
    "/deliveries/{destination}/resume": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post: {
            parameters: {
                query?: {
                    project?: string | null;
                };
                header?: never;
                path: {
                    destination: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Resumed"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/destinations": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: {
                    project?: string | null;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["DestinationList"];
                    };
                };
            };
        };
        put?: never;
        post: {
            parameters: {
                query?: {
                    project?: string | null;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["AddDestination"];
                };
            };
            responses: {
                201: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["DestinationInfo"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/destinations/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        delete: {
            parameters: {
                query?: {
                    project?: string | null;
                };
                header?: never;
                path: {
                    name: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                204: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
            };
        };
        options?: never;
        head?: never;
        patch: {
            parameters: {
                query?: {
                    project?: string | null;
                };
                header?: never;
                path: {
                    name: string;
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["ChangeDestination"];
                };
            };
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["DestinationInfo"];
                    };
                };
            };
        };
        trace?: never;
    };
    "/downloads": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: {
                    format?: string | null;
                    version?: string | null;
                    platform?: string | null;
                    track_name?: string | null;
                    days?: number;
                    include_bots?: boolean;
                    project?: string | null;
                    filter?: string[];
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": Record<string, never>;
                    };
                };
            };
        };
        put?: never;
        post: {
            parameters: {
                query?: {
                    project?: string | null;
                };
                header?: {
                    "Idempotency-Key"?: string | null;
                };
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["Download"];
                };
            };
            responses: {
                202: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": {
                            [key: string]: unknown;
                        };
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: {
                    event_type?: string[];
                    person?: string | null;
                    since?: string | null;
                    until?: string | null;
                    limit?: number;
                    cursor?: number | null;
                    include_bots?: boolean;
                    project?: string | null;
                    filter?: string[];
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": Record<string, never>;
                    };
                };
            };
        };
        put?: never;
        post: {
            parameters: {
                query?: {
                    project?: string;
                };
                header?: {
                    "Idempotency-Key"?: string;
                };
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": {
                        anonymous_id?: string | number | null;
                        context?: {
                            [key: string]: unknown;
                        } | null;
                        currency?: string | null;
                        event_data?: {
                            [key: string]: unknown;
                        } | null;
                        event_id?: string | null;
                        event_type: string;
                        revenue?: number | string | null;
                        session_id?: string | number | null;
                        timestamp?: string | number | null;
                        user_id?: string | number | null;
                        user_properties?: {
                            [key: string]: unknown;
                        } | null;
                    } | {
                        anonymous_id?: string | number | null;
                        context?: {
                            [key: string]: unknown;
                        } | null;
                        currency?: string | null;
                        event_data?: {
                            [key: string]: unknown;
                        } | null;
                        event_id?: string | null;
                        event_type: string;
                        revenue?: number | string | null;
                        session_id?: string | number | null;
                        timestamp?: string | number | null;
                        user_id?: string | number | null;
                        user_properties?: {
                            [key: string]: unknown;
                        } | null;
                    }[] | {
                        events: {
                            anonymous_id?: string | number | null;
                            context?: {
                                [key: string]: unknown;
                            } | null;
                            currency?: string | null;
                            event_data?: {
                                [key: string]: unknown;
                            } | null;
                            event_id?: string | null;
                            event_type: string;
                            revenue?: number | string | null;
                            session_id?: string | number | null;
                            timestamp?: string | number | null;
                            user_id?: string | number | null;
                            user_properties?: {
                                [key: string]: unknown;
                            } | null;
                        }[];
                        key?: string | null;
                        sent_at?: string | number | null;
                    };
                    "application/x-ndjson": string;
                    "text/plain": string;
                };
            };
            responses: {
                202: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": {
                            accepted: number;
                            duplicates: number;
                            ignored: number;
                            quarantined: number;
                            rejected: number;
                            results: {
                                /** Format: uuid */
                                event_id?: string;
                                index: number;
                                reason?: string;
                                /** @enum {string} */
                                status: "accepted" | "duplicate" | "rejected" | "ignored" | "quarantined";
                                warnings?: string[];
                            }[];
                        };
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/goals": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: {
                    project?: string | null;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["GoalList"];
                    };
                };
            };
        };
        put?: never;
        post: {
            parameters: {
                query?: {
                    project?: string | null;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["GoalBody"];
                };
            };
            responses: {
                201: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["SetGoal"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/goals/{goal_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: {
                    periods?: number;
                    project?: string | null;
                };
                header?: never;
                path: {
                    goal_id: number;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["GoalInfo"];
                    };
                };
            };
        };
        put: {
            parameters: {
                query?: {
                    project?: string | null;
                };
                header?: never;
                path: {
                    goal_id: number;
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["GoalBody"];
                };
            };
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["SetGoal"];
                    };
                };
            };
        };
        post?: never;
        delete: {
            parameters: {
                query?: {
                    project?: string | null;
                };
                header?: never;
                path: {
                    goal_id: number;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                204: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
            };
        };
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/invitations": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: {
                    limit?: number;
                    before?: number | null;
                    project?: string | null;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["InvitationList"];
                    };
                };
            };
        };
        put?: never;
        post: {
            parameters: {
                query?: {
                    project?: string | null;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["Invite"];
                };
            };
            responses: {
                201: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["NewInvitation"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/invitations/accept": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["AcceptInvitation"];
                };
            };
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["SessionInfo"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/invitations/inspect": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["InvitationToken"];
                };
            };
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["InvitationOffer"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/invitations/{invitation_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        delete: {
            parameters: {
                query?: {
                    project?: string | null;
                };
                header?: never;
                path: {
                    invitation_id: number;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                204: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
            };
        };
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/keys": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: {
                    limit?: number;
                    after?: number;
                    project?: string | null;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["KeyList"];
                    };
                };
            };
        };
        put?: never;
        post: {
            parameters: {
                query?: {
                    project?: string | null;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["MakeKey"];
                };
            };
            responses: {
                201: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["NewKey"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/keys/{key_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        delete: {
            parameters: {
                query?: {
                    project?: string | null;
                };
                header?: never;
                path: {
                    key_id: number;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                204: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
            };
        };
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/keys/{key_id}/rotate": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post: {
            parameters: {
                query?: {
                    project?: string | null;
                };
                header?: never;
                path: {
                    key_id: number;
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["RotateKey"];
                };
            };
            responses: {
                201: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["NewKey"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/members": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: {
                    limit?: number;
                    after?: string;
                    project?: string | null;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["MemberList"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/members/{user_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        delete: {
            parameters: {
                query?: {
                    project?: string | null;
                };
                header?: never;
                path: {
                    user_id: number;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                204: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
            };
        };
        options?: never;
        head?: never;
        patch: {
            parameters: {
                query?: {
                    project?: string | null;
                };
                header?: never;
                path: {
                    user_id: number;
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["SetRole"];
                };
            };
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["MemberItem"];
                    };
                };
            };
        };
        trace?: never;
    };
    "/metrics/aggregated": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query: {
                    metric_type: string;
                    period?: components["schemas"]["Period"] | null;
                    start_date?: string | null;
                    end_date?: string | null;
                    include_bots?: boolean;
                    zone?: string | null;
                    project?: string | null;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["MetricPoint"][];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/metrics/dashboard": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: {
                    include_bots?: boolean;
                    zone?: string | null;
                    project?: string | null;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Dashboard"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/metrics/definitions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: {
                    project?: string | null;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["MetricDefinition"][];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/metrics/revisions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: {
                    metric_type?: string | null;
                    period?: components["schemas"]["Period"] | null;
                    start_date?: string | null;
                    end_date?: string | null;
                    limit?: number;
                    cursor?: number | null;
                    project?: string | null;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["RevisionPage"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/overall": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: {
                    days?: number;
                    include_bots?: boolean;
                    project?: string | null;
                    filter?: string[];
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": Record<string, never>;
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/persons/{person}/timeline": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: {
                    event_type?: string[] | null;
                    limit?: number;
                    cursor?: string | null;
                    project?: string | null;
                };
                header?: never;
                path: {
                    person: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Timeline"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/privacy/erasures": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post: {
            parameters: {
                query?: {
                    project?: string | null;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["ErasureBody"];
                };
            };
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["DryRun"];
                    };
                };
                202: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["PrivacyJobInfo"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/privacy/jobs/{job_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: {
                    project?: string | null;
                };
                header?: never;
                path: {
                    job_id: number;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["PrivacyJobInfo"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/privacy/jobs/{job_id}/report": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: {
                    project?: string | null;
                };
                header?: never;
                path: {
                    job_id: number;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["SignedReport"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/privacy/policy": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: {
                    project?: string | null;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Policy"];
                    };
                };
            };
        };
        put: {
            parameters: {
                query?: {
                    project?: string | null;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["PolicyBody"];
                };
            };
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Policy"];
                    };
                };
            };
        };
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/privacy/removed": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: {
                    from?: string | null;
                    to?: string | null;
                    limit?: number;
                    project?: string | null;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["RemovedList"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/privacy/retention": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: {
                    project?: string | null;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Retention"];
                    };
                };
            };
        };
        put: {
            parameters: {
                query?: {
                    project?: string | null;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["PeriodsBody"];
                };
            };
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Retention"];
                    };
                };
            };
        };
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/project/origins": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: {
                    project?: string | null;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Origins"];
                    };
                };
            };
        };
        put: {
            parameters: {
                query?: {
                    project?: string | null;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["Origins"];
                };
            };
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Origins"];
                    };
                };
            };
        };
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/quarantine": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: {
                    event_type?: string | null;
                    limit?: number;
                    after?: string | null;
                    project?: string | null;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["QuarantinePage"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/quarantine/release": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post: {
            parameters: {
                query?: {
                    project?: string | null;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["ReleaseBody"];
                };
            };
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Released"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/realtime": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: {
                    include_bots?: boolean;
                    project?: string | null;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": Record<string, never>;
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/shares": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: {
                    limit?: number;
                    before?: number | null;
                    project?: string | null;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ShareList"];
                    };
                };
            };
        };
        put?: never;
        post: {
            parameters: {
                query?: {
                    project?: string | null;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["NewShare"];
                };
            };
            responses: {
                201: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["MadeShare"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/shares/inspect": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["ShareToken"];
                };
            };
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ShareOffer"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/shares/open": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["OpenShare"];
                };
            };
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenedShare"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/shares/{share_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        delete: {
            parameters: {
                query?: {
                    project?: string | null;
                };
                header?: never;
                path: {
                    share_id: number;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                204: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
            };
        };
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/tracking-plan": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: {
                    project?: string | null;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["TrackingPlan"];
                    };
                };
            };
        };
        put: {
            parameters: {
                query?: {
                    project?: string | null;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["PlanBody"];
                };
            };
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["TrackingPlan"];
                    };
                };
            };
        };
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/usage": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: {
                    days?: number;
                    include_bots?: boolean;
                    project?: string | null;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": Record<string, never>;
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/users": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: {
                    limit?: number;
                    cursor?: string | null;
                    days?: number;
                    include_bots?: boolean;
                    project?: string | null;
                    filter?: string[];
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": Record<string, never>;
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/views": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: {
                    project?: string | null;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ViewList"];
                    };
                };
            };
        };
        put?: never;
        post: {
            parameters: {
                query?: {
                    project?: string | null;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["ViewBody"];
                };
            };
            responses: {
                201: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ViewItem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/views/{view_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        delete: {
            parameters: {
                query?: {
                    project?: string | null;
                };
                header?: never;
                path: {
                    view_id: number;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                204: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
            };
        };
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/warnings": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: {
                    kind?: components["schemas"]["WarningKind"] | null;
                    event_type?: string | null;
                    limit?: number;
                    project?: string | null;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WarningList"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        AcceptInvitation: {
            password?: string | null;
            token: string;
            username?: string | null;
        };
        AddDestination: {
            kind: string;
            /** @default  */
            name: string;
            options?: {
                [key: string]: string;
            };
            rules?: components["schemas"]["Rules"] | null;
            /** @default now */
            start: string;
        };
        AddRule: {
            channel_ids?: number[] | null;
            /** @default 120 */
            clear_seconds: number;
            /** @default true */
            enabled: boolean;
            /** @default 0 */
            hold_seconds: number;
            kind: string;
            name: string;
            parameters?: {
                [key: string]: unknown;
            };
            /** @default 24 */
            remind_hours: number | null;
        };
        Against: {
            degrees_of_freedom: number | null;
            difference: number;
            interval: components["schemas"]["Interval"] | null;
            p_value: number | null;
            relative: number | null;
            statistic: number | null;
            test: string;
        };
        AlertItem: {
            acknowledged_at: string | null;
            ended_at: string | null;
            id: number;
            kind: string;
            rule: string;
            rule_id: number;
            /** Format: date-time */
            since: string;
            started_at: string | null;
            state: components["schemas"]["AlertState"];
            subject: string;
            text: string;
            value: number | null;
        };
        AlertOverview: {
            current: components["schemas"]["AlertItem"][];
            evaluated_at: string | null;
            history: components["schemas"]["AlertItem"][];
            next: number | null;
            project: string;
        };
        /** @enum {string} */
        AlertState: "pending" | "firing" | "resolved";
        AnnotationBody: {
            at?: string | null;
            label: string;
            url?: string | null;
        };
        AnnotationItem: {
            /** Format: date-time */
            at: string;
            /** Format: date-time */
            created_at: string;
            created_by: string;
            id: number;
            label: string;
            url: string | null;
        };
        AnnotationList: {
            annotations: components["schemas"]["AnnotationItem"][];
            project: string;
        };
        AskedWindow: {
            /** Format: date */
            end: string;
            seconds?: number | null;
            /** Format: date */
            start: string;
        };
        Breakdown: {
            by: components["schemas"]["Grain"];
            from: string | null;
            items: components["schemas"]["BreakdownItem"][];
            more: boolean;
            pending_complete: boolean;
            project: string;
            to: string | null;
        };
        BreakdownItem: {
            dead: number;
            delivered: number;
            destination: string;
            difference: number;
            discarded: number;
            event_type: string;
            parked: number;
            pending: number;
            received: number;
            skipped: number;
            skipped_by_reason: {
                [key: string]: number;
            };
            start: string | null;
            unknown: number;
        };
        /** @enum {string} */
        Breaker: "closed" | "open" | "probing";
        BrowserScript: {
            endpoint: string;
            integrity: string;
            path: string;
            pinned_tag: string;
            tag: string;
            url: string;
        };
        ChangeDestination: {
            options?: {
                [key: string]: string | null;
            } | null;
            rules?: components["schemas"]["Rules"] | null;
            state?: ("running" | "paused") | null;
        };
        ChangeReplay: {
            events_per_second?: number | null;
            state?: ("running" | "paused" | "cancelled") | null;
        };
        ChangeRule: {
            channel_ids?: number[] | null;
            /** @default 120 */
            clear_seconds: number;
            /** @default true */
            enabled: boolean;
            /** @default 0 */
            hold_seconds: number;
            /** @default  */
            name: string;
            parameters?: {
                [key: string]: unknown;
            };
            /** @default 24 */
            remind_hours: number | null;
        };
        ChannelInfo: {
            /** Format: date-time */
            created_at: string;
            failed: number;
            failures: number;
            id: number;
            kind: string;
            last_error: string | null;
            last_error_at: string | null;
            last_sent_at: string | null;
            name: string;
            options: {
                [key: string]: string;
            };
            retry_at: string | null;
            secrets_set: string[];
            /** Format: date-time */
            updated_at: string;
            waiting: number;
        };
        ChannelList: {
            channels: components["schemas"]["ChannelInfo"][];
            kinds: {
                [key: string]: string[];
            };
            project: string;
        };
        Condition: {
            op: components["schemas"]["Operator"];
            path: string;
            value?: components["schemas"]["JsonValue"];
        };
        Config: {
            amplitude_configured: boolean;
            batch_size: number;
            data_retention_days: number;
            enabled: boolean;
            flush_interval_seconds: number;
            mixpanel_configured: boolean;
            pii_tracking_enabled: boolean;
            sandbox_mode: boolean;
        };
        ConsentGate: {
            /**
             * @default skip
             * @enum {string}
             */
            not_stated: "skip" | "send";
            purposes: string[];
        };
        /** @enum {string} */
        Criterion: "on" | "on_or_after" | "on_or_before";
        Dashboard: {
            churn_rate: number | null;
            conversion_rate: number | null;
            daily_active_users: number;
            details: {
                [key: string]: unknown;
            };
            ltv_cac_ratio: number | null;
            monthly_active_users: number;
            new_registrations_today: number;
            revenue_today: number;
        };
        /** @enum {string} */
        DeadKind: "refused" | "form" | "too_large";
        DeadLetterGroup: {
            destination: string;
            event_type: string;
            events: number;
            /** Format: date-time */
            first_died_at: string;
            kind: components["schemas"]["DeadKind"];
            /** Format: date-time */
            last_died_at: string;
            reason: string;
            replay: number | null;
        };
        DeadLetterGroups: {
            groups: components["schemas"]["DeadLetterGroup"][];
            total: number;
        };
        DeadLettersDiscarded: {
            discarded: number;
        };
        DeliveryOverview: {
            destinations: components["schemas"]["DestinationStatus"][];
            project: string;
            sandbox_mode: boolean;
        };
        /** @enum {string} */
        DeliveryState: "running" | "waiting" | "paused" | "sandbox" | "busy" | "held_elsewhere" | "unconfigured" | "error";
        DestinationInfo: {
            created_at: string | null;
            kind: string;
            name: string;
            options: {
                [key: string]: string;
            };
            /** @enum {string} */
            origin: "settings" | "api";
            reason: string | null;
            rules: {
                [key: string]: unknown;
            };
            rules_changed_at: string | null;
            rules_version: number;
            secrets_set: string[];
            start: string | null;
            state: components["schemas"]["DeliveryState"];
            updated_at: string | null;
        };
        DestinationList: {
            destinations: components["schemas"]["DestinationInfo"][];
            kinds: string[];
            project: string;
        };
        DestinationState: {
            destination: string;
            ended_at: string | null;
            job_ids: string[];
            requested_at: string | null;
            state: string;
            words: string;
        };
        DestinationStatus: {
            breaker: components["schemas"]["Breaker"];
            by_event_type: {
                [key: string]: components["schemas"]["EventCounts"];
            };
            dead: number;
            delivered: number;
            destination: string;
            difference: number;
            discarded: number;
            failures: number;
            lag_seconds: number;
            last_error: string | null;
            last_error_at: string | null;
            oldest_received_at: string | null;
            parked: number;
            pending: number;
            pending_complete: boolean;
            position: number;
            reason: string | null;
            received: number;
            retry_at: string | null;
            skipped: number;
            skipped_by_reason: {
                [key: string]: number;
            };
            state: components["schemas"]["DeliveryState"];
            unknown: number;
        };
        /** @enum {string} */
        Direction: "at_least" | "at_most";
        DiscardDeadLetters: {
            /** @default false */
            all: boolean;
            destination: string;
            event_ids?: string[] | null;
            event_type?: string | null;
            from?: string | null;
            kind?: components["schemas"]["DeadKind"] | null;
            reason: string;
            replay?: number | null;
            text?: string | null;
            until?: string | null;
        };
        Download: {
            event_id?: string | null;
            format?: string | null;
            platform?: string | null;
            python_version?: string | null;
            session_id?: string | null;
            /** @default true */
            success: boolean;
            timestamp?: string | number | null;
            track_name: string;
            user_hash?: string | null;
            version?: string | null;
        };
        DryRun: {
            destinations: string[];
            persons: number;
            rows: {
                [key: string]: number;
            };
        };
        Earlier: {
            date: string;
            value: number | null;
        };
        ErasureBody: {
            anonymous_id?: string | null;
            /** @default false */
            dry_run: boolean;
            events?: components["schemas"]["Events"] | null;
            /** @default true */
            keep_out: boolean;
            /** @default erase */
            mode: components["schemas"]["JobKind"];
            /** @default true */
            propagate: boolean;
            user_id?: string | null;
        };
        EventCounts: {
            dead: number;
            delivered: number;
            difference: number;
            discarded: number;
            parked: number;
            pending: number;
            received: number;
            skipped: number;
            skipped_by_reason: {
                [key: string]: number;
            };
            unknown: number;
        };
        EventFates: {
            destinations: components["schemas"]["Fate"][];
            /** Format: uuid */
            event_id: string;
            event_type: string;
            seq: number;
        };
        EventFatesFound: {
            events: components["schemas"]["EventFates"][];
        };
        EventMapping: {
            /** @default [] */
            drop: string[];
            /**
             * @default [
             *       "*"
             *     ]
             */
            events: string[];
            /** @default [] */
            keep: string[];
            /** @default {} */
            rename: {
                [key: string]: string;
            };
            rename_event?: string | null;
            /** @default {} */
            set: {
                [key: string]: components["schemas"]["JsonValue"];
            };
        };
        Events: {
            /** @default [] */
            event_types: string[];
            /** @default {} */
            properties: {
                [key: string]: unknown;
            };
            since?: string | null;
            until?: string | null;
        };
        ExclusionAsked: {
            /** @default 1 */
            after_step: number;
            before_step?: number | null;
            event?: string | null;
            /** @default [] */
            filters: Record<string, never>[];
        };
        ExperimentAnswer: {
            /** Format: date-time */
            as_of: string;
            control: string | null;
            counted_as: string | null;
            definition: string;
            filters: string;
            in_several: number;
            include_bots: boolean;
            lag: components["schemas"]["Lag"];
            metrics: components["schemas"]["ExperimentMetric"][];
            people: string;
            sample_ratio: components["schemas"]["SampleRatio"] | null;
            source: string;
            state: string;
            unknown_events: string[];
            variant: string;
            variants: components["schemas"]["VariantSize"][];
            window: components["schemas"]["AskedWindow"];
            zone: string;
        };
        ExperimentCell: {
            /** @default 1 */
            metric: number;
            /**
             * @default exposed
             * @enum {string}
             */
            outcome: "exposed" | "converted" | "not_converted";
            variant: string;
        };
        ExperimentMetric: {
            after_seconds: number;
            before_seconds: number | null;
            measure: string;
            name: string;
            pending: number;
            results: components["schemas"]["VariantResult"][];
        };
        ExperimentPeople: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            analysis: "experiment";
            cell: components["schemas"]["ExperimentCell"];
            question: components["schemas"]["ExperimentQuestion"];
        };
        ExperimentQuestion: {
            as_of?: string | null;
            /** @default [] */
            cohorts: number[];
            control?: string | null;
            end_date?: string | null;
            exposure: components["schemas"]["Happening"];
            /** @default [] */
            filters: Record<string, never>[];
            /** @default false */
            include_bots: boolean;
            metrics: components["schemas"]["OutcomeAsked"][];
            /** @default [] */
            not_cohorts: number[];
            people?: {
                [key: string]: unknown;
            } | null;
            shares?: {
                [key: string]: number;
            } | null;
            start_date?: string | null;
            /** @default event_data.variant */
            variant: string;
            zone?: string | null;
        };
        Fate: {
            attempts: number | null;
            certain: boolean;
            destination: string;
            died_at: string | null;
            possible: string[];
            reason: string | null;
            retry_at: string | null;
            state: components["schemas"]["FateState"];
        };
        /** @enum {string} */
        FateState: "pending" | "parked" | "delivered" | "skipped" | "dead" | "discarded" | "unknown" | "before_start" | "open";
        FunnelAnswer: {
            /** Format: date-time */
            as_of: string;
            attempt: string;
            breakdown?: components["schemas"]["FunnelBreakdown"] | null;
            conversion: components["schemas"]["FunnelConversion"];
            counted_as: string | null;
            definition: string;
            filters: string;
            include_bots: boolean;
            lag: components["schemas"]["Lag"];
            order: string;
            people: string;
            source: string;
            state: string;
            steps: components["schemas"]["FunnelStep"][];
            unit: string;
            unknown_events: string[];
            window: components["schemas"]["AskedWindow"];
            zone: string;
        };
        FunnelBreakdown: {
            property: string;
            values: components["schemas"]["FunnelGroup"][];
        };
        FunnelCell: {
            /**
             * @default reached
             * @enum {string}
             */
            outcome: "reached" | "dropped_off";
            /** @default 1 */
            step: number;
            value?: string | null;
            /** @default false */
            without_value: boolean;
        };
        FunnelConversion: {
            mature: components["schemas"]["Proportion"];
            so_far: components["schemas"]["Proportion"];
        };
        FunnelGroup: {
            conversion: components["schemas"]["FunnelConversion"];
            counts: number[];
            others: boolean;
            value: string | null;
        };
        FunnelPeople: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            analysis: "funnel";
            /**
             * @default {
             *       "outcome": "reached",
             *       "step": 1,
             *       "without_value": false
             *     }
             */
            cell: components["schemas"]["FunnelCell"];
            question: components["schemas"]["FunnelQuestion"];
        };
        FunnelQuestion: {
            as_of?: string | null;
            /**
             * @default best
             * @enum {string}
             */
            attempt: "best" | "first";
            breakdown?: string | null;
            /** @default 10 */
            breakdown_limit: number;
            /** @default [] */
            cohorts: number[];
            end_date?: string | null;
            /** @default [] */
            exclusions: components["schemas"]["ExclusionAsked"][];
            /** @default [] */
            filters: Record<string, never>[];
            /** @default 0 */
            grace_seconds: number;
            hold?: string | null;
            /** @default false */
            include_bots: boolean;
            /** @default [] */
            not_cohorts: number[];
            /** @default ordered */
            order: components["schemas"]["Order"];
            people?: {
                [key: string]: unknown;
            } | null;
            start_date?: string | null;
            steps: components["schemas"]["analytics_api__query__analysis__questions__Step"][];
            /** @default person */
            unit: components["schemas"]["Unit"];
            /** @default 604800 */
            window_seconds: number;
            zone?: string | null;
        };
        FunnelStep: {
            count: number;
            dropped_off: number;
            from_first: components["schemas"]["Proportion"];
            from_previous: components["schemas"]["Proportion"];
            name: string;
            seconds_from_first: components["schemas"]["Seconds"];
            seconds_from_previous: components["schemas"]["Seconds"];
            step: number;
        };
        GoalBody: {
            /** @default at_least */
            direction: components["schemas"]["Direction"];
            ends_on?: string | null;
            metric: string;
            period: components["schemas"]["GoalPeriod"];
            starts_on?: string | null;
            target: number;
            title: string;
        };
        GoalInfo: {
            /** Format: date-time */
            created_at: string;
            current: components["schemas"]["GoalProgress"] | null;
            direction: components["schemas"]["Direction"];
            ends_on: string | null;
            history: components["schemas"]["GoalProgress"][];
            id: number;
            metric: string;
            period: components["schemas"]["GoalPeriod"];
            problem: string | null;
            /** Format: date */
            starts_on: string;
            target: number;
            title: string;
            /** Format: date-time */
            updated_at: string;
        };
        GoalList: {
            goals: components["schemas"]["GoalInfo"][];
            project: string;
        };
        /** @enum {string} */
        GoalPeriod: "week" | "month" | "until";
        GoalProgress: {
            elapsed: number;
            /** Format: date */
            end: string;
            expected: number | null;
            figure: {
                [key: string]: unknown;
            } | null;
            projected: number | null;
            share: number | null;
            /** Format: date */
            start: string;
            state: string | null;
            status: components["schemas"]["analytics_api__domain__goals__Status"];
            value: number | null;
        };
        /** @enum {string} */
        Grain: "hour" | "day" | "total";
        Happening: {
            event?: string | null;
            /** @default [] */
            filters: Record<string, never>[];
        };
        Interval: {
            confidence: number;
            high: number;
            low: number;
        };
        InvitationItem: {
            /** Format: date-time */
            created_at: string;
            created_by: string;
            /** Format: date-time */
            expires_at: string;
            id: number;
            role: components["schemas"]["Role"];
        };
        InvitationList: {
            invitations: components["schemas"]["InvitationItem"][];
            next: number | null;
            project: string;
        };
        InvitationOffer: {
            /** Format: date-time */
            expires_at: string;
            project: string;
            project_name: string;
            role: components["schemas"]["Role"];
        };
        InvitationToken: {
            token: string;
        };
        Invite: {
            /** @default 72 */
            expires_hours: number;
            role: components["schemas"]["Role"];
        };
        /** @enum {string} */
        JobKind: "erase" | "anonymise";
        /** @enum {string} */
        JobState: "waiting" | "running" | "done";
        JourneyAnswer: {
            /** Format: date-time */
            as_of: string;
            counted_as: string | null;
            definition: string;
            direction: string;
            filters: string;
            include_bots: boolean;
            journeys: number;
            lag: components["schemas"]["Lag"];
            links: components["schemas"]["JourneyLink"][];
            node: string;
            nodes: components["schemas"]["JourneyNode"][];
            paths: components["schemas"]["JourneyPath"][];
            people: string;
            persons: number;
            source: string;
            state: string;
            unit: string;
            unknown_events: string[];
            window: components["schemas"]["AskedWindow"];
            zone: string;
        };
        JourneyCell: {
            /** @default false */
            ended: boolean;
            /** @default 0 */
            level: number;
            value?: string | null;
        };
        JourneyLink: {
            count: number;
            level: number;
            source: number;
            source_kind: string;
            source_value: string | null;
            target: number;
            target_kind: string;
            target_value: string | null;
        };
        JourneyNode: {
            count: number;
            kind: string;
            level: number;
            value: string | null;
        };
        JourneyPath: {
            count: number;
            nodes: number[];
            values: (string | null)[];
        };
        JourneyPeople: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            analysis: "journey";
            /**
             * @default {
             *       "ended": false,
             *       "level": 0
             *     }
             */
            cell: components["schemas"]["JourneyCell"];
            question: components["schemas"]["JourneyQuestion"];
        };
        JourneyQuestion: {
            anchor: components["schemas"]["Happening"];
            as_of?: string | null;
            /** @default [] */
            cohorts: number[];
            /** @default true */
            collapse: boolean;
            /**
             * @default after
             * @enum {string}
             */
            direction: "after" | "before";
            end_date?: string | null;
            /** @default [] */
            filters: Record<string, never>[];
            /** @default false */
            include_bots: boolean;
            /** @default 10 */
            limit: number;
            /** @default event_type */
            node: string;
            /** @default [] */
            nodes: components["schemas"]["Happening"][];
            /** @default [] */
            not_cohorts: number[];
            /** @default 20 */
            paths: number;
            people?: {
                [key: string]: unknown;
            } | null;
            start_date?: string | null;
            /** @default 5 */
            steps: number;
            /**
             * @default session
             * @enum {string}
             */
            unit: "session" | "person";
            /** @default 86400 */
            window_seconds: number;
            zone?: string | null;
        };
        JsonValue: unknown;
        KeyInfo: {
            /** Format: date-time */
            created_at: string;
            events_per_second: number | null;
            expires_at: string | null;
            id: number;
            kind: components["schemas"]["KeyKind"];
            last_used_at: string | null;
            name: string;
            prefix: string;
            revoked_at: string | null;
            /** @enum {string} */
            state: "active" | "expired" | "revoked";
        };
        /** @enum {string} */
        KeyKind: "write" | "server" | "read" | "admin";
        KeyList: {
            keys: components["schemas"]["KeyInfo"][];
            next: number | null;
            project: string;
        };
        KindInfo: {
            description: string;
            kind: string;
            parameters: {
                [key: string]: unknown;
            };
            unit: string | null;
        };
        Lag: {
            events: number;
            seconds: number;
        };
        LastRun: {
            blocked: {
                [key: string]: string;
            };
            blocked_since: string | null;
            events: number;
            finished_at: string | null;
            partitions: string[];
            /** Format: date-time */
            started_at: string;
        };
        LogIn: {
            code?: string | null;
            /** Format: password */
            password: string;
            username: string;
        };
        MadeShare: {
            /** Format: date-time */
            created_at: string;
            created_by: string;
            expires_at: string | null;
            id: number;
            name: string;
            opened: number;
            opened_at: string | null;
            password: boolean;
            token: string;
            view: string;
        };
        MakeKey: {
            events_per_second?: number | null;
            expires_days?: number | null;
            kind: components["schemas"]["KeyKind"];
            /** @default  */
            name: string;
        };
        MemberItem: {
            disabled: boolean;
            last_login_at: string | null;
            role: components["schemas"]["Role"];
            /** Format: date-time */
            since: string;
            user_id: number;
            username: string;
        };
        MemberList: {
            members: components["schemas"]["MemberItem"][];
            next: string | null;
            project: string;
        };
        MetricDefinition: {
            counts_people: boolean;
            currency: string | null;
            custom: boolean;
            definition: string;
            include_bots: boolean;
            metric_type: string;
            period: string;
            settles_after_days: number;
            title: string | null;
            unit: string;
            version: number;
            window_days: number | null;
        };
        MetricPoint: {
            /** Format: uuid */
            id: string;
            metadata: components["schemas"]["PointMetadata"];
            /** Format: date */
            metric_date: string;
            metric_type: string;
            period: string;
            value: number | null;
        };
        /** @enum {string} */
        Mode: "drop" | "mask" | "hash" | "keep";
        NewInvitation: {
            /** Format: date-time */
            created_at: string;
            created_by: string;
            /** Format: date-time */
            expires_at: string;
            id: number;
            role: components["schemas"]["Role"];
            token: string;
        };
        NewKey: {
            /** Format: date-time */
            created_at: string;
            events_per_second: number | null;
            expires_at: string | null;
            id: number;
            key: string;
            kind: components["schemas"]["KeyKind"];
            last_used_at: string | null;
            name: string;
            prefix: string;
            revoked_at: string | null;
            /** @enum {string} */
            state: "active" | "expired" | "revoked";
        };
        NewShare: {
            expires_hours?: number | null;
            name: string;
            password?: string | null;
            view: string;
        };
        /** @enum {string} */
        Of: "events" | "persons" | "sum" | "average" | "minimum" | "maximum" | "percentile";
        OpenShare: {
            password?: string | null;
            token: string;
        };
        OpenedShare: {
            project: string;
            session: components["schemas"]["SessionInfo"];
            view: string;
        };
        /** @enum {string} */
        Operator: "is" | "is_not" | "contains" | "not_contains" | "starts_with" | "ends_with" | "exists" | "not_exists" | ">" | ">=" | "<" | "<=";
        /** @enum {string} */
        Order: "ordered" | "strict" | "any";
        Origins: {
            origins: string[];
        };
        OutcomeAsked: {
            /** @default 0 */
            after_seconds: number;
            /** @default [] */
            any_of: components["schemas"]["Happening"][];
            before_seconds?: number | null;
            event?: string | null;
            /** @default [] */
            filters: Record<string, never>[];
            /**
             * @default conversion
             * @enum {string}
             */
            measure: "conversion" | "mean";
            name?: string | null;
            property?: string | null;
        };
        PeoplePage: {
            next_cursor: string | null;
            persons: components["schemas"]["Person"][];
            total: number;
        };
        PeopleQuestion: {
            cursor?: string | null;
            /** @default 100 */
            limit: number;
            of: components["schemas"]["FunnelPeople"] | components["schemas"]["RetentionPeople"] | components["schemas"]["JourneyPeople"] | components["schemas"]["TrendPeople"] | components["schemas"]["ExperimentPeople"] | components["schemas"]["SubscriptionPeople"] | components["schemas"]["PersonPeople"];
        };
        /** @enum {string} */
        Period: "daily" | "weekly" | "monthly";
        PeriodsBody: {
            days?: number | null;
            /** @default {} */
            event_types: {
                [key: string]: number;
            };
        };
        Person: {
            anonymous_id: string | null;
            /** Format: date-time */
            first_seen_at: string;
            /** Format: date-time */
            last_seen_at: string;
            /** Format: uuid */
            person_id: string;
            properties: {
                [key: string]: unknown;
            };
            user_id: string | null;
        };
        PersonPeople: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            analysis: "persons";
            question: components["schemas"]["Question"];
        };
        PlanBody: {
            event_types?: {
                [key: string]: components["schemas"]["TypePlan"];
            } | null;
            mode: components["schemas"]["PlanMode"];
            /** @default same */
            unknown_types: components["schemas"]["UnknownTypes"];
        };
        /** @enum {string} */
        PlanMode: "observe" | "reject" | "quarantine";
        PointMetadata: {
            /** Format: date-time */
            calculated_at: string;
            counted_as?: string | null;
            currency?: string | null;
            definition: string;
            definition_version: number;
            denominator: number | null;
            include_bots: boolean;
            interval?: components["schemas"]["Interval"] | null;
            late_unapplied?: number | null;
            numerator: number | null;
            partial?: boolean | null;
            sealed?: boolean | null;
            small_sample?: boolean | null;
            source: string;
            state: string;
            unit: string;
            window: components["schemas"]["Window"];
            zone: string;
        } & {
            [key: string]: unknown;
        };
        Policy: {
            /** @default [] */
            fields: string[];
            /** @default [] */
            kept_paths: string[];
            /** @default {} */
            modes: {
                [key: string]: components["schemas"]["Mode"];
            };
            project: string;
            /** @default [] */
            signals: components["schemas"]["Signal"][];
            updated_at: string | null;
            version: number;
            /** @default off */
            visitor_ids: components["schemas"]["VisitorIds"];
        };
        PolicyBody: {
            /** @default [] */
            fields: string[];
            /** @default [] */
            kept_paths: string[];
            /** @default {} */
            modes: {
                [key: string]: components["schemas"]["Mode"];
            };
            /** @default [] */
            signals: components["schemas"]["Signal"][];
            /** @default off */
            visitor_ids: components["schemas"]["VisitorIds"];
        };
        PreviousWindow: {
            /** Format: date */
            end: string;
            /** Format: date */
            start: string;
            until: string | null;
        };
        PrivacyJobInfo: {
            /** Format: date-time */
            created_at: string;
            /** @default [] */
            destinations: components["schemas"]["DestinationState"][];
            events: number;
            finished_at: string | null;
            id: number;
            kind: components["schemas"]["JobKind"];
            note: string | null;
            project: string;
            requested_by: string;
            stage: components["schemas"]["Stage"];
            started_at: string | null;
            state: components["schemas"]["JobState"];
        };
        ProjectRole: {
            id: number;
            name: string;
            role: components["schemas"]["Role"];
            slug: string;
        };
        Proportion: {
            denominator: number;
            interval?: components["schemas"]["Interval"] | null;
            numerator: number;
            small_sample: boolean;
            value: number | null;
        };
        QuarantineItem: {
            event_data: {
                [key: string]: unknown;
            };
            /** Format: uuid */
            event_id: string;
            event_type: string;
            kind: string;
            /** Format: date-time */
            occurred_at: string;
            path: string;
            reason: string;
            /** Format: date-time */
            received_at: string;
        };
        QuarantinePage: {
            by_event_type: {
                [key: string]: number;
            };
            items: components["schemas"]["QuarantineItem"][];
            next: string | null;
            project: string;
            total: number;
        };
        Question: {
            as_of?: string | null;
            /** @default [] */
            cohorts: number[];
            end_date?: string | null;
            /** @default [] */
            filters: Record<string, never>[];
            /** @default false */
            include_bots: boolean;
            /** @default [] */
            not_cohorts: number[];
            people?: {
                [key: string]: unknown;
            } | null;
            start_date?: string | null;
            zone?: string | null;
        };
        ReleaseBody: {
            after?: string | null;
            /** @default false */
            all: boolean;
            event_ids?: string[] | null;
            event_type?: string | null;
            /** @default false */
            force: boolean;
        };
        Released: {
            duplicates: number;
            next: string | null;
            reasons: {
                [key: string]: number;
            };
            released: number;
            still_broken: number;
        };
        RemovedItem: {
            action: string;
            /** Format: date */
            last_day: string;
            number: number;
            rule: string;
            subject: string;
        };
        RemovedList: {
            /** Format: date */
            from: string;
            items: components["schemas"]["RemovedItem"][];
            project: string;
            /** Format: date */
            to: string;
            total: number;
        };
        ReplayChoice: {
            anonymous_ids: string[];
            event_types: string[];
            from: string | null;
            properties: {
                [key: string]: unknown;
            };
            /** @enum {string} */
            time: "occurrence" | "arrival";
            until: string | null;
            user_ids: string[];
        };
        ReplayInfo: {
            allow_repetitions: boolean;
            backfill: boolean;
            choice: components["schemas"]["ReplayChoice"];
            /** Format: date-time */
            created_at: string;
            dead: number;
            delivered: number;
            destination: string;
            done: number;
            end_position: number;
            estimated: number | null;
            events_per_second: number;
            finished_at: string | null;
            id: number;
            last_error: string | null;
            parked: number;
            position: number;
            progress: number;
            reason: string | null;
            retry_at: string | null;
            skipped: number;
            skipped_by_reason: {
                [key: string]: number;
            };
            state: string;
            unknown: number;
        };
        ReplayList: {
            next: number | null;
            replays: components["schemas"]["ReplayInfo"][];
        };
        Resumed: {
            destination: string;
            resumed: boolean;
        };
        Retention: {
            days?: number | null;
            default_days: number;
            /** @default {} */
            event_types: {
                [key: string]: number;
            };
            last_run: components["schemas"]["LastRun"] | null;
            last_success: string | null;
            least_days: number;
            project: string;
        };
        RetentionAnswer: {
            /** Format: date-time */
            as_of: string;
            clock: string;
            cohorts: components["schemas"]["RetentionRow"][];
            columns: components["schemas"]["RetentionColumn"][];
            counted_as: string | null;
            criterion: string;
            definition: string;
            filters: string;
            include_bots: boolean;
            lag: components["schemas"]["Lag"];
            mode: string;
            overall: components["schemas"]["Proportion"][];
            people: string;
            period: string;
            source: string;
            state: string;
            unknown_events: string[];
            window: components["schemas"]["AskedWindow"];
            zone: string;
        };
        RetentionCell: {
            cohort?: string | null;
            /** @default 0 */
            column: number;
            /**
             * @default retained
             * @enum {string}
             */
            outcome: "retained" | "not_retained" | "all";
        };
        RetentionColumn: {
            first: number;
            last: number | null;
        };
        RetentionPeople: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            analysis: "retention";
            /**
             * @default {
             *       "column": 0,
             *       "outcome": "retained"
             *     }
             */
            cell: components["schemas"]["RetentionCell"];
            question: components["schemas"]["RetentionQuestion"];
        };
        RetentionQuestion: {
            as_of?: string | null;
            /**
             * @default {
             *       "filters": []
             *     }
             */
            birth: components["schemas"]["Happening"];
            brackets?: [
                number,
                number
            ][] | null;
            /**
             * @default calendar
             * @enum {string}
             */
            clock: "calendar" | "rolling";
            /** @default [] */
            cohorts: number[];
            /** @default 12 */
            columns: number;
            /** @default on */
            criterion: components["schemas"]["Criterion"];
            end_date?: string | null;
            /** @default [] */
            filters: Record<string, never>[];
            /** @default false */
            include_bots: boolean;
            /**
             * @default first_ever
             * @enum {string}
             */
            mode: "first_ever" | "recurring";
            /** @default [] */
            not_cohorts: number[];
            people?: {
                [key: string]: unknown;
            } | null;
            /** @default daily */
            period: components["schemas"]["Period"];
            /**
             * @default {
             *       "filters": []
             *     }
             */
            returning: components["schemas"]["Happening"];
            start_date?: string | null;
            zone?: string | null;
        };
        RetentionRow: {
            cells: components["schemas"]["RetentionValue"][];
            /** Format: date */
            cohort: string;
            size: number;
            small_sample: boolean;
        };
        RetentionValue: {
            mature: boolean;
            retained: number | null;
            so_far: number;
            state: string;
            value: number | null;
        };
        Retried: {
            retried: number;
        };
        RetryDeadLetters: {
            /** @default false */
            all: boolean;
            destination: string;
            event_ids?: string[] | null;
            event_type?: string | null;
            from?: string | null;
            kind?: components["schemas"]["DeadKind"] | null;
            replay?: number | null;
            text?: string | null;
            until?: string | null;
        };
        Revision: {
            cause: string;
            /** Format: date-time */
            changed_at: string;
            id: number;
            /** Format: date */
            metric_date: string;
            metric_type: string;
            new_value: number | null;
            old_value: number | null;
            period: string;
        };
        RevisionPage: {
            next_cursor: number | null;
            revisions: components["schemas"]["Revision"][];
        };
        /** @enum {string} */
        Role: "viewer" | "editor" | "owner";
        RotateKey: {
            /** @default 24 */
            overlap_hours: number;
        };
        /** @enum {string} */
        Rule: "field" | "email" | "phone" | "card" | "iban" | "jwt" | "url_secret";
        RuleInfo: {
            channel_ids: number[] | null;
            clear_seconds: number;
            /** Format: date-time */
            created_at: string;
            enabled: boolean;
            evaluated_at: string | null;
            hold_seconds: number;
            id: number;
            kind: string;
            last_error: string | null;
            name: string;
            parameters: {
                [key: string]: unknown;
            };
            remind_hours: number | null;
            /** Format: date-time */
            updated_at: string;
        };
        RuleList: {
            kinds: components["schemas"]["KindInfo"][];
            project: string;
            rules: components["schemas"]["RuleInfo"][];
        };
        Rules: {
            /** @default [] */
            all_of: components["schemas"]["Condition"][];
            /** @default [] */
            any_of: components["schemas"]["Condition"][];
            consent?: components["schemas"]["ConsentGate"] | null;
            /** @default [] */
            exclude: string[];
            /** @default [] */
            include: string[];
            /** @default [] */
            mapping: components["schemas"]["EventMapping"][];
            sample?: components["schemas"]["Sampling"] | null;
        };
        SampleRatio: {
            chi_square: number;
            mismatch: boolean;
            p_value: number;
        };
        Sampling: {
            percent: number;
            /** @default  */
            seed: string;
        };
        Seconds: {
            median: number | null;
            p90: number | null;
        };
        SeriesAsked: {
            /** @default [] */
            any_of: components["schemas"]["Happening"][];
            event?: string | null;
            /** @default [] */
            filters: Record<string, never>[];
            name?: string | null;
            /** @default events */
            of: components["schemas"]["Of"];
            percentile?: number | null;
            property?: string | null;
        };
        SessionInfo: {
            csrf_token: string | null;
            expires_at: string | null;
            /** @enum {string} */
            mode: "login" | "local" | "share";
            projects: components["schemas"]["ProjectRole"][];
            user: components["schemas"]["UserInfo"] | null;
        };
        SetChannel: {
            kind: string;
            name: string;
            options: {
                [key: string]: string;
            };
        };
        SetGoal: {
            direction: components["schemas"]["Direction"];
            ends_on: string | null;
            id: number;
            metric: string;
            period: components["schemas"]["GoalPeriod"];
            /** Format: date */
            starts_on: string;
            target: number;
            title: string;
        };
        SetRole: {
            role: components["schemas"]["Role"];
        };
        ShareItem: {
            /** Format: date-time */
            created_at: string;
            created_by: string;
            expires_at: string | null;
            id: number;
            name: string;
            opened: number;
            opened_at: string | null;
            password: boolean;
            view: string;
        };
        ShareList: {
            next: number | null;
            project: string;
            shares: components["schemas"]["ShareItem"][];
        };
        ShareOffer: {
            expires_at: string | null;
            password: boolean;
        };
        ShareToken: {
            token: string;
        };
        /** @enum {string} */
        Signal: "gpc" | "dnt";
        SignedReport: {
            algorithm: string;
            public_key: string;
            report: {
                [key: string]: unknown;
            };
            signature: string;
        };
        /** @enum {string} */
        Stage: "suppress" | "wait" | "delete" | "recount" | "providers" | "report";
        StartReplay: {
            /** @default false */
            allow_repetitions: boolean;
            /** @default [] */
            anonymous_ids: string[];
            /** @default false */
            backfill: boolean;
            destination: string;
            /** @default [] */
            event_types: string[];
            /** @default 500 */
            events_per_second: number;
            from?: string | null;
            properties?: {
                [key: string]: unknown;
            };
            /**
             * @default occurrence
             * @enum {string}
             */
            time: "occurrence" | "arrival";
            until?: string | null;
            /** @default [] */
            user_ids: string[];
        };
        SubscriptionCell: {
            /**
             * @default paying
             * @enum {string}
             */
            part: "paying" | "new" | "reactivation" | "expansion" | "contraction" | "churn" | "fx";
        };
        SubscriptionPeople: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            analysis: "subscriptions";
            /**
             * @default {
             *       "part": "paying"
             *     }
             */
            cell: components["schemas"]["SubscriptionCell"];
            question: components["schemas"]["Question"];
        };
        TestResult: {
            error: string | null;
            sent: boolean;
        };
        Timeline: {
            also: string[];
            events: components["schemas"]["TimelineEvent"][];
            next_cursor: string | null;
            person: components["schemas"]["Person"];
        };
        TimelineEvent: {
            anonymous_id: string | null;
            context: {
                [key: string]: unknown;
            };
            currency: string | null;
            event_data: {
                [key: string]: unknown;
            };
            /** Format: uuid */
            event_id: string;
            event_type: string;
            is_bot: boolean;
            /** Format: date-time */
            occurred_at: string;
            /** Format: date-time */
            received_at: string;
            revenue: number | null;
            session_id: string | null;
            user_id: string | null;
        };
        TrackingPlan: {
            event_types: {
                [key: string]: components["schemas"]["TypePlan"];
            };
            mode: components["schemas"]["PlanMode"];
            project: string;
            unknown_types: components["schemas"]["UnknownTypes"];
            updated_at: string | null;
            version: number;
        };
        TrendAnswer: {
            /** Format: date-time */
            as_of: string;
            breakdown: string | null;
            counted_as: string | null;
            definition: string;
            filters: string;
            formula: components["schemas"]["TrendFormula"] | null;
            include_bots: boolean;
            lag: components["schemas"]["Lag"];
            people: string;
            period: string;
            previous: components["schemas"]["PreviousWindow"] | null;
            series: components["schemas"]["TrendSeries"][];
            source: string;
            state: string;
            unknown_events: string[];
            window: components["schemas"]["AskedWindow"];
            zone: string;
        };
        TrendCell: {
            date?: string | null;
            /** @default A */
            series: string;
            value?: string | null;
            /** @default false */
            without_value: boolean;
        };
        TrendFormula: {
            change?: number | null;
            formula: string;
            points: components["schemas"]["TrendPoint"][];
            previous_total?: number | null;
            total: number | null;
            values?: components["schemas"]["TrendValue"][] | null;
        };
        TrendPeople: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            analysis: "trend";
            /**
             * @default {
             *       "series": "A",
             *       "without_value": false
             *     }
             */
            cell: components["schemas"]["TrendCell"];
            question: components["schemas"]["TrendQuestion"];
        };
        TrendPoint: {
            date: string;
            previous?: components["schemas"]["Earlier"] | null;
            state: string;
            value: number | null;
        };
        TrendQuestion: {
            as_of?: string | null;
            breakdown?: string | null;
            /** @default 10 */
            breakdown_limit: number;
            /** @default [] */
            cohorts: number[];
            /** @default false */
            compare: boolean;
            end_date?: string | null;
            /** @default [] */
            filters: Record<string, never>[];
            formula?: string | null;
            /** @default false */
            include_bots: boolean;
            /** @default [] */
            not_cohorts: number[];
            people?: {
                [key: string]: unknown;
            } | null;
            /** @default daily */
            period: components["schemas"]["analytics_api__domain__analysis__calendar__Step"];
            series: components["schemas"]["SeriesAsked"][];
            start_date?: string | null;
            zone?: string | null;
        };
        TrendSeries: {
            change?: number | null;
            letter: string;
            name: string;
            of: string;
            points: components["schemas"]["TrendPoint"][];
            previous_total?: number | null;
            total: number | null;
            values?: components["schemas"]["TrendValue"][] | null;
        };
        TrendValue: {
            change?: number | null;
            others: boolean;
            points: components["schemas"]["TrendPoint"][];
            previous_total?: number | null;
            total: number | null;
            value: string | null;
        };
        TypePlan: {
            /** @default  */
            description: string;
            schema: {
                [key: string]: unknown;
            };
        };
        /** @enum {string} */
        Unit: "person" | "session" | "totals";
        /** @enum {string} */
        UnknownTypes: "same" | "allow";
        UserInfo: {
            id: number;
            owner_everywhere: boolean;
            second_factor: boolean;
            username: string;
        };
        VariantResult: {
            against_control: components["schemas"]["Against"] | null;
            denominator: number;
            interval?: components["schemas"]["Interval"] | null;
            numerator: number;
            small_sample: boolean;
            standard_deviation?: number | null;
            value: number | null;
            variant: string;
        };
        VariantSize: {
            persons: number;
            variant: string;
        };
        ViewBody: {
            name: string;
            view: string;
        };
        ViewItem: {
            /** Format: date-time */
            created_at: string;
            created_by: string;
            id: number;
            name: string;
            view: string;
        };
        ViewList: {
            project: string;
            views: components["schemas"]["ViewItem"][];
        };
        /** @enum {string} */
        VisitorIds: "off" | "daily" | "lifetime";
        WarningItem: {
            count: number;
            event_type: string;
            /** Format: date-time */
            first_seen: string;
            kind: string;
            /** Format: date-time */
            last_seen: string;
            message: string;
            path: string;
            sample: {
                [key: string]: unknown;
            } | null;
        };
        /** @enum {string} */
        WarningKind: "unknown_type" | "schema" | "unknown_field" | "personal_data" | "time_clamped" | "source" | "money" | "rejected" | "other";
        WarningList: {
            project: string;
            warnings: components["schemas"]["WarningItem"][];
        };
        Window: {
            days?: number | null;
            /** Format: date */
            end: string;
            /** Format: date */
            start: string;
        };
        /** @enum {string} */
        analytics_api__domain__analysis__calendar__Step: "hourly" | "daily" | "weekly" | "monthly";
        /** @enum {string} */
        analytics_api__domain__goals__Status: "not_started" | "no_data" | "on_track" | "behind" | "reached" | "missed";
        analytics_api__query__analysis__questions__Step: {
            /** @default [] */
            any_of: components["schemas"]["Happening"][];
            event?: string | null;
            /** @default [] */
            filters: Record<string, never>[];
            name?: string | null;
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export type operations = Record<string, never>;
